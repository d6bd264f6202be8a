//! Edits of parameters, and of what an optimizer keeps for them: the primitives that growths
//! compile to.

mod host;
mod model;
mod plan;

use std::collections::HashMap;

use burgeon_graph::GroupId;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchDevice, TensorMetadata};
use burn::module::ParamId;
use burn::tensor::{DType, IntDType, Shape, TensorData};

pub(crate) use host::Array;
pub(crate) use model::{apply, map};
pub(crate) use plan::{compile, select_channels};

use crate::error::NnError;
use crate::replay::Value;

/// Slices along an axis: the new one i is the old one `source[i]`, which counts `factor[i]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    pub axis: usize,
    pub source: Vec<usize>,
    pub factor: Vec<f64>,
}

/// Slices of a channel's own: their values stay, and `added` is put on them, each a place in the
/// parameter after the selection and a number that the step ε multiplies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OwnEdit {
    pub select: Select,
    pub added: Vec<(usize, f64)>,
}

/// The edit of one parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Edit {
    /// Along axes of what the channels own: made, biased, normalised.
    pub own: Vec<OwnEdit>,
    /// Along axes by which they are read: slices are multiplied with their factors.
    pub reads: Vec<Select>,
}

/// All edits of one surgery, by parameter.
///
/// In a copy's own slices the value stays and the gradient becomes `w_i` times the
/// parent's; where it is read the value becomes `w_i` times the parent's and
/// the gradient stays.
#[derive(Debug, Clone, Default)]
pub struct ParamEdits {
    pub(crate) edits: HashMap<ParamId, Edit>,
    /// The new width of each group that changes.
    pub(crate) widths: HashMap<GroupId, usize>,
    /// The step that offsets are multiplied with.
    pub(crate) epsilon: f64,
}

impl ParamEdits {
    /// Whether the parameter is edited.
    pub fn contains(&self, id: ParamId) -> bool {
        self.edits.contains_key(&id)
    }

    /// The edited value of a parameter, on its device.
    pub(crate) fn apply(&self, id: ParamId, value: Value) -> Result<Value, NnError> {
        match self.edits.get(&id) {
            Some(edit) => Ok(Prepared::of(edit, value)?.at(self.epsilon)),
            None => Ok(value),
        }
    }

    /// The edited value of what an optimizer keeps for a parameter. `factors` says what each slice
    /// of a selection is multiplied with, and is told whether the slices are the channels' own.
    pub(crate) fn apply_to_moment(
        &self,
        id: ParamId,
        data: TensorData,
        factors: &dyn Fn(&Select, bool) -> Vec<f64>,
    ) -> Result<TensorData, NnError> {
        let Some(edit) = self.edits.get(&id) else {
            return Ok(data);
        };
        let dtype = data.dtype();
        let mut array = Array::read(data)?;
        for own in &edit.own {
            array = array.select(&own.select, &factors(&own.select, true))?;
        }
        for reads in &edit.reads {
            array = array.select(reads, &factors(reads, false))?;
        }
        Ok(array.into_data(dtype))
    }
}

/// A parameter's edit with everything done that does not depend on the step.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    base: Value,
    /// What the step multiplies.
    moved: Option<Value>,
}

impl Prepared {
    pub fn of(edit: &Edit, value: Value) -> Result<Self, NnError> {
        let device = value.device();
        let dtype = value.dtype();
        let mut base = value;
        let mut moved: Option<Value> = None;
        for own in &edit.own {
            base = select(base, &own.select, false)?;
            moved = moved
                .map(|moved| select(moved, &own.select, false))
                .transpose()?;
            if own.added.is_empty() {
                continue;
            }
            let shape = base.shape();
            let mut values = vec![0.0_f64; shape.num_elements()];
            for (place, number) in &own.added {
                let slot = values.get_mut(*place).ok_or_else(|| {
                    NnError::Plan("an offset lies outside of its parameter".into())
                })?;
                *slot += number;
            }
            let added = floats(values, shape, dtype, &device);
            moved = Some(match moved {
                Some(moved) => Dispatch::float_add(moved, added),
                None => added,
            });
        }
        for reads in &edit.reads {
            base = select(base, reads, true)?;
            moved = moved.map(|moved| select(moved, reads, true)).transpose()?;
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

fn floats(values: Vec<f64>, shape: Shape, dtype: DType, device: &DispatchDevice) -> Value {
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Dispatch::float_from_data(data, device)
}

/// The slices of `select`, multiplied with their factors where `scales` says so.
fn select(value: Value, select: &Select, scales: bool) -> Result<Value, NnError> {
    let shape = value.shape();
    let length = shape.iter().nth(select.axis).copied();
    let fits = |length| select.source.iter().all(|source| *source < length);
    if !length.is_some_and(fits) {
        return Err(NnError::Plan(format!(
            "the plan copies a channel that a parameter of shape {shape:?} does not have"
        )));
    }
    let device = value.device();
    let dtype = value.dtype();
    let indices: Vec<i64> = select.source.iter().map(|&source| source as i64).collect();
    let count = indices.len();
    let indices = TensorData::new(indices, [count]);
    let ints: IntDType = burn::backend::get_or_init_device_settings::<Dispatch>(&device).int_dtype;
    let indices = Dispatch::int_from_data(indices.convert_dtype(ints.into()), &device);
    let selected = Dispatch::float_select(value, select.axis, indices);
    if !scales || select.factor.iter().all(|factor| *factor == 1.0) {
        return Ok(selected);
    }
    let mut along = vec![1; shape.num_dims()];
    along[select.axis] = count;
    let factors = floats(select.factor.clone(), Shape::from(along), dtype, &device);
    Ok(Dispatch::float_mul(selected, factors))
}
