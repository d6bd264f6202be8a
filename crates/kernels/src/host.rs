//! Tensors as slices.

use burn::backend::ndarray::NdArrayTensor;
use burn::backend::{Flex, NdArray};
use burn::tensor::Tensor;

use crate::real::Real;

/// Runs `work` on the values of `tensor` as `E`, in the order of its shape: where they lie, if
/// they lie in that order and type, else on a copy.
pub(crate) fn with_slice<E: Real, R, const D: usize>(
    tensor: Tensor<D>,
    work: impl FnOnce(&[E]) -> R,
) -> R {
    let tensor = tensor.cast(E::dtype());
    if let Ok(primitive) = tensor.clone().try_into_primitive::<Flex>() {
        let primitive = primitive.to_contiguous();
        if let Some(values) = primitive.as_slice() {
            return work(values);
        }
    }
    if let Ok(primitive) = tensor.clone().try_into_primitive::<NdArray>() {
        let values = match &primitive {
            NdArrayTensor::F32(values) => values.view().to_slice().and_then(E::same::<f32>),
            NdArrayTensor::F64(values) => values.view().to_slice().and_then(E::same::<f64>),
            _ => None,
        };
        if let Some(values) = values {
            return work(values);
        }
    }
    let values: Vec<E> = tensor.into_data().iter().collect();
    work(&values)
}
