//! Weights by name.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};

/// What a name ends with whose numbers scale those of the name before it.
const SCALE: &str = ".scale";

/// Weights by name, each with its shape, as f32.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Weights {
    /// Adds an array.
    pub fn insert(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name.to_owned(), (shape, values));
    }

    /// The weights of a file. Arrays of int8 are multiplied with `NAME.scale`, which has a number
    /// for each index of the axis that it is as long as: the first of weights `[o, i, h, w]`, the
    /// last of weights `[i, o]`.
    ///
    /// # Errors
    /// What is damaged, or of another type.
    pub fn of(file: &SafeTensors) -> Result<Self, String> {
        let mut weights = Self::default();
        for (name, view) in file.tensors() {
            let values = match view.dtype() {
                Dtype::F32 => view
                    .data()
                    .chunks_exact(4)
                    .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                    .collect(),
                Dtype::I8 => view.data().iter().map(|&b| f32::from(b as i8)).collect(),
                other => return Err(format!("`{name}` is in {other:?}, not in f32 or int8")),
            };
            weights.insert(&name, view.shape().to_vec(), values);
        }
        let scaled: Vec<String> = file
            .tensors()
            .into_iter()
            .filter(|(_, view)| view.dtype() == Dtype::I8)
            .map(|(name, _)| name)
            .collect();
        for name in scaled {
            let scale = weights.0.remove(&format!("{name}{SCALE}"));
            let (_, scale) = scale.ok_or_else(|| format!("`{name}{SCALE}` is missing"))?;
            if let Some((shape, values)) = weights.0.get_mut(&name) {
                rescale(shape, values, &scale).map_err(|problem| format!("`{name}`: {problem}"))?;
            }
        }
        Ok(weights)
    }

    /// The array of that name, which must have this shape.
    ///
    /// # Errors
    /// What it is instead.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], String> {
        match self.0.get(name) {
            None => Err(format!("`{name}` is missing")),
            Some((own, _)) if own != shape => {
                Err(format!("`{name}` has shape {own:?}, expected {shape:?}"))
            }
            Some((_, values)) if values.iter().any(|value| !value.is_finite()) => {
                Err(format!("`{name}` holds what is no finite number"))
            }
            Some((_, values)) => Ok(values),
        }
    }
}

/// Multiplies `values` with the scale of their output.
fn rescale(shape: &[usize], values: &mut [f32], scale: &[f32]) -> Result<(), String> {
    let (outputs, inner) = match shape {
        [_, outputs] => (*outputs, 1),
        [outputs, rest @ ..] => (*outputs, rest.iter().product::<usize>()),
        [] => (0, 1),
    };
    if scale.len() != outputs || inner == 0 {
        return Err(format!("{} scales for shape {shape:?}", scale.len()));
    }
    for (index, value) in values.iter_mut().enumerate() {
        *value *= scale[index / inner % outputs];
    }
    Ok(())
}
