//! Edits of arrays on the host: what an optimizer's record holds.

use burn::tensor::{DType, TensorData};

use super::Select;
use crate::error::NnError;

/// A dense array on the host.
pub(crate) struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    pub fn read(data: TensorData) -> Result<Self, NnError> {
        let shape = data.shape().to_vec();
        let values = data
            .convert_dtype(DType::F64)
            .try_to_vec::<f64>()
            .map_err(|error| NnError::Plan(format!("a parameter cannot be read: {error}")))?;
        Ok(Self { shape, values })
    }

    pub fn into_data(self, dtype: DType) -> TensorData {
        TensorData::new(self.values, self.shape).convert_dtype(dtype)
    }

    /// The slices of `edit`, each multiplied by its factor; by 0 it is 0, whatever it was.
    pub fn select(&self, edit: &Select, factors: &[f64]) -> Result<Self, NnError> {
        let length = self.shape.get(edit.axis).copied().ok_or_else(|| {
            NnError::Plan(format!(
                "a parameter of shape {:?} has no axis {}",
                self.shape, edit.axis
            ))
        })?;
        if edit.sources.iter().any(|source| source.index >= length) {
            return Err(NnError::Plan(format!(
                "the plan copies a channel that an axis of {length} does not have"
            )));
        }
        let inner: usize = self.shape[edit.axis + 1..].iter().product();
        let mut values = Vec::new();
        for block in self.values.chunks_exact((length * inner).max(1)) {
            for (source, &factor) in edit.sources.iter().zip(factors) {
                let slice = &block[source.index * inner..(source.index + 1) * inner];
                let scaled = |value: &f64| if factor == 0.0 { 0.0 } else { value * factor };
                values.extend(slice.iter().map(scaled));
            }
        }
        let mut shape = self.shape.clone();
        shape[edit.axis] = edit.sources.len();
        Ok(Self { shape, values })
    }
}
