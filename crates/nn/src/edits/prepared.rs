//! Edits as tensor operations on the parameter's device.

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{AutodiffBackend, Dispatch, DispatchDevice, TensorMetadata};
use burn::tensor::{DType, IntDType, Shape, Tensor, TensorData};

use super::{Add, Owner, Primitive, Select};
use crate::error::NnError;
use crate::replay::Value;

/// A parameter's edit with everything done that does not depend on the step.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    base: Value,
    /// What the step multiplies.
    moved: Option<Value>,
}

impl Prepared {
    pub fn of(edit: &[Primitive], value: Value) -> Result<Self, NnError> {
        let mut base = value;
        let mut moved: Option<Value> = None;
        for primitive in edit {
            match primitive {
                Primitive::Select(by) => {
                    base = select(base, by, true)?;
                    moved = moved.map(|moved| select(moved, by, false)).transpose()?;
                }
                Primitive::Add(Add { entries, scaled }) => {
                    if !entries.is_empty() {
                        let added = sparse(entries, &base)?;
                        base = Dispatch::float_add(base, added);
                    }
                    if !scaled.is_empty() {
                        let added = sparse(scaled, &base)?;
                        moved = Some(match moved {
                            Some(moved) => Dispatch::float_add(moved, added),
                            None => added,
                        });
                    }
                }
            }
        }
        Ok(Self { base, moved })
    }

    /// The parameter with step `epsilon`.
    pub fn at(&self, epsilon: f64) -> Value {
        match &self.moved {
            Some(moved) if epsilon != 0.0 => {
                let step = Dispatch::float_mul_scalar(moved.clone(), epsilon.into());
                Dispatch::float_add(self.base.clone(), step)
            }
            _ => self.base.clone(),
        }
    }
}

/// A parameter with step `epsilon` where gradients are recorded, and for each of its primitives
/// that adds a leaf whose gradient is that at what is added.
pub(crate) fn probed(
    edit: &[Primitive],
    value: Value,
    epsilon: f64,
) -> Result<(Value, Vec<Option<Tensor<1>>>), NnError> {
    let mut base = value;
    let mut moved: Option<Value> = None;
    let mut probes = Vec::with_capacity(edit.len());
    for primitive in edit {
        match primitive {
            Primitive::Select(by) => {
                base = select(base, by, true)?;
                moved = moved.map(|moved| select(moved, by, false)).transpose()?;
                probes.push(None);
            }
            Primitive::Add(Add { entries, scaled }) => {
                if !entries.is_empty() {
                    let added = sparse(entries, &base)?;
                    base = Dispatch::float_add(base, added);
                }
                let by_step = scaled.iter().map(|(place, by)| (*place, epsilon * by));
                let added = sparse(&by_step.collect::<Vec<_>>(), &base)?;
                let added = Tensor::<1>::from_dispatch(Dispatch::from_inner(added));
                let (seen, probe) = burgeon_ops::probed(added);
                let seen = seen.into_dispatch();
                moved = Some(match moved {
                    Some(moved) => Dispatch::float_add(moved, seen),
                    None => seen,
                });
                probes.push(Some(probe));
            }
        }
    }
    let base = Dispatch::from_inner(base);
    let value = match moved {
        Some(moved) => Dispatch::float_add(base, moved),
        None => base,
    };
    Ok((value, probes))
}

/// A tensor like `like` that is 0 but for `entries`, which are summed where they meet.
fn sparse(entries: &[(usize, f64)], like: &Value) -> Result<Value, NnError> {
    let shape = like.shape();
    let mut values = vec![0.0_f64; shape.num_elements()];
    for (place, number) in entries {
        let slot = values
            .get_mut(*place)
            .ok_or_else(|| NnError::Plan("a growth lies outside of its parameter".into()))?;
        *slot += number;
    }
    Ok(floats(values, shape, like.dtype(), &like.device()))
}

fn floats(values: Vec<f64>, shape: Shape, dtype: DType, device: &DispatchDevice) -> Value {
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Dispatch::float_from_data(data, device)
}

/// The slices of `select`; `is_whole` tells a parameter from what is added to it, which belongs to
/// no other channel.
fn select(value: Value, select: &Select, is_whole: bool) -> Result<Value, NnError> {
    let shape = value.shape();
    let length = shape.iter().nth(select.axis).copied();
    let fits = |length| select.sources.iter().all(|source| source.index < length);
    if !length.is_some_and(fits) {
        return Err(NnError::Plan(format!(
            "the plan copies a channel that a parameter of shape {shape:?} does not have"
        )));
    }
    let device = value.device();
    let dtype = value.dtype();
    let indices: Vec<i64> = select.sources.iter().map(|s| s.index as i64).collect();
    let count = indices.len();
    let indices = TensorData::new(indices, [count]);
    let ints: IntDType = burn::backend::get_or_init_device_settings::<Dispatch>(&device).int_dtype;
    let indices = Dispatch::int_from_data(indices.convert_dtype(ints.into()), &device);
    let selected = Dispatch::float_select(value, select.axis, indices);
    let factor = |source: &burgeon_graph::Source| match (select.owner, source.is_new) {
        (Owner::Belongs, true) if is_whole => 1.0,
        (_, true) => 0.0,
        (Owner::Reads, false) => source.factor,
        (Owner::Makes | Owner::Belongs, false) => 1.0,
    };
    let factors: Vec<f64> = select.sources.iter().map(factor).collect();
    if factors.iter().all(|factor| *factor == 1.0) {
        return Ok(selected);
    }
    let mut along = vec![1; shape.num_dims()];
    along[select.axis] = count;
    let factors = floats(factors, Shape::from(along), dtype, &device);
    Ok(Dispatch::float_mul(selected, factors))
}
