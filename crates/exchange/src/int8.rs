//! Weights as int8.

use burn::tensor::TensorData;

/// Whole numbers with a scale for each output: what they stand for is their product.
///
/// ```
/// use burgeon_exchange::Int8Weight;
///
/// // Of a linear layer `[inputs, outputs]`: outputs are the second axis.
/// let weight = Int8Weight {
///     shape: vec![2, 2],
///     axis: 1,
///     values: vec![127, -127, 0, 64],
///     scales: vec![0.1, 0.01],
/// };
/// assert_eq!(weight.floats(), [12.7, -1.27, 0.0, 0.64]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Weight {
    /// The shape.
    pub shape: Vec<usize>,
    /// The axis of the outputs.
    pub axis: usize,
    /// The numbers, row-major.
    pub values: Vec<i8>,
    /// A scale for each output.
    pub scales: Vec<f32>,
}

impl Int8Weight {
    /// What the numbers stand for.
    pub fn floats(&self) -> Vec<f32> {
        let inner: usize = self.shape.iter().skip(self.axis + 1).product();
        let outputs = self.scales.len().max(1);
        let scale = |index: usize| self.scales.get(index / inner.max(1) % outputs);
        let values = self.values.iter().enumerate();
        values
            .map(|(index, value)| f32::from(*value) * scale(index).copied().unwrap_or_default())
            .collect()
    }

    pub(crate) fn numbers(&self) -> TensorData {
        TensorData::new(self.values.clone(), self.shape.clone())
    }

    pub(crate) fn scale(&self) -> TensorData {
        TensorData::new(self.scales.clone(), [self.scales.len()])
    }
}
