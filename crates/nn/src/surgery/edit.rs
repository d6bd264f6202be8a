//! Edits of parameters and of what an optimizer keeps for them.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::{DType, Tensor, TensorData};

use crate::error::NnError;
use crate::layers::InnerOrSelf;

/// New slices along one axis: slice i is the old slice `source[i]`.
#[derive(Debug, Clone)]
pub(crate) struct AxisEdit {
    pub axis: usize,
    pub source: Vec<usize>,
    /// The copies' shares `w_i`; what they multiply is decided by the edit's kind.
    pub factor: Vec<f64>,
}

/// A vector added to one slice, in the order of the fan-in before columns are
/// copied.
#[derive(Debug, Clone)]
pub(crate) struct Offset {
    pub axis: usize,
    pub index: usize,
    pub values: Vec<f64>,
}

#[derive(Debug, Clone, Default)]
struct ParamEdit {
    rows: Option<AxisEdit>,
    offsets: Vec<Offset>,
    columns: Vec<AxisEdit>,
}

/// All edits of one surgery, by parameter.
///
/// In a copy's own row the value stays and the gradient becomes `w_i` times the
/// parent's; in a consumer's column the value becomes `w_i` times the parent's and
/// the gradient stays (MATH §7).
#[derive(Debug, Clone, Default)]
pub struct ParamEdits(HashMap<ParamId, ParamEdit>);

/// A dense array on the host.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl ParamEdits {
    /// Whether the parameter is edited.
    pub fn contains(&self, id: ParamId) -> bool {
        self.0.contains_key(&id)
    }

    pub(crate) fn rows(&mut self, id: ParamId, edit: AxisEdit) {
        self.0.entry(id).or_default().rows = Some(edit);
    }

    pub(crate) fn columns(&mut self, id: ParamId, edit: AxisEdit) {
        self.0.entry(id).or_default().columns.push(edit);
    }

    pub(crate) fn offset(&mut self, id: ParamId, offset: Offset) {
        self.0.entry(id).or_default().offsets.push(offset);
    }

    /// The edited value of a parameter, on the same device, in the same type,
    /// and a leaf of the graph if it was one.
    pub(crate) fn apply_to_tensor<const D: usize>(
        &self,
        id: ParamId,
        tensor: Tensor<D>,
    ) -> Result<Tensor<D>, NnError> {
        let Some(edit) = self.0.get(&id) else {
            return Ok(tensor);
        };
        let (is_autodiff, requires_grad) = (tensor.is_autodiff(), tensor.is_require_grad());
        let plain = tensor.inner_or_self();
        let (device, dtype) = (plain.device(), plain.dtype());
        let mut array = Array::read(plain.into_data())?;
        if let Some(rows) = &edit.rows {
            array = array.select(rows, None)?;
        }
        for offset in &edit.offsets {
            array.add(offset)?;
        }
        for columns in &edit.columns {
            array = array.select(columns, Some(1))?;
        }
        let shape: [usize; D] = array.shape.try_into().map_err(|shape| {
            NnError::Plan(format!("surgery changed a parameter's rank: {shape:?}"))
        })?;
        let data = TensorData::new(array.values, shape);
        let edited = Tensor::<D>::from_data(data, (&device, dtype));
        Ok(match is_autodiff {
            true => Tensor::from_inner(edited).set_require_grad(requires_grad),
            false => edited,
        })
    }

    /// The edited value of what an optimizer keeps for a parameter, where the
    /// kept value is a mean of the gradient's `power`-th power.
    pub(crate) fn apply_to_moment(
        &self,
        id: ParamId,
        data: TensorData,
        power: i32,
    ) -> Result<TensorData, NnError> {
        let Some(edit) = self.0.get(&id) else {
            return Ok(data);
        };
        let dtype = data.dtype();
        let mut array = Array::read(data)?;
        if let Some(rows) = &edit.rows {
            array = array.select(rows, Some(power))?;
        }
        for columns in &edit.columns {
            array = array.select(columns, None)?;
        }
        let shape = array.shape;
        Ok(TensorData::new(array.values, shape).convert_dtype(dtype))
    }
}

impl Array {
    fn read(data: TensorData) -> Result<Self, NnError> {
        let shape = data.shape().to_vec();
        let values = data
            .convert_dtype(DType::F64)
            .try_to_vec::<f64>()
            .map_err(|error| NnError::Plan(format!("a parameter cannot be read: {error}")))?;
        Ok(Self { shape, values })
    }

    /// Slices `edit.source` along `edit.axis`, multiplied by `factor^power`.
    fn select(&self, edit: &AxisEdit, power: Option<i32>) -> Result<Self, NnError> {
        let length = self.axis_length(edit.axis)?;
        if edit.source.iter().any(|&source| source >= length) {
            return Err(NnError::Plan(format!(
                "the plan copies a channel that an axis of {length} does not have"
            )));
        }
        let (outer, inner) = self.around(edit.axis);
        let mut values = Vec::with_capacity(outer * edit.source.len() * inner);
        for block in self.values.chunks_exact(length * inner) {
            for (&source, factor) in edit.source.iter().zip(&edit.factor) {
                let slice = &block[source * inner..(source + 1) * inner];
                match power {
                    Some(power) => {
                        let factor = factor.powi(power);
                        values.extend(slice.iter().map(|value| value * factor));
                    }
                    None => values.extend_from_slice(slice),
                }
            }
        }
        let mut shape = self.shape.clone();
        shape[edit.axis] = edit.source.len();
        Ok(Self { shape, values })
    }

    fn add(&mut self, offset: &Offset) -> Result<(), NnError> {
        let length = self.axis_length(offset.axis)?;
        let (outer, inner) = self.around(offset.axis);
        if offset.index >= length || offset.values.len() != outer * inner {
            return Err(NnError::Plan(format!(
                "an offset of {} numbers does not fit a slice of {}",
                offset.values.len(),
                outer * inner
            )));
        }
        for (o, part) in offset.values.chunks_exact(inner).enumerate() {
            let start = (o * length + offset.index) * inner;
            for (value, add) in self.values[start..start + inner].iter_mut().zip(part) {
                *value += add;
            }
        }
        Ok(())
    }

    fn axis_length(&self, axis: usize) -> Result<usize, NnError> {
        self.shape.get(axis).copied().ok_or_else(|| {
            NnError::Plan(format!(
                "a parameter of shape {:?} has no axis {axis}",
                self.shape
            ))
        })
    }

    /// Numbers of slices before, and of values after, an axis.
    fn around(&self, axis: usize) -> (usize, usize) {
        let outer = self.shape[..axis].iter().product();
        let inner = self.shape[axis + 1..].iter().product();
        (outer, inner)
    }
}
