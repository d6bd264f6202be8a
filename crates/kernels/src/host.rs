//! Tensors as slices.

use burn::backend::Flex;
use burn::backend::NdArray;
use burn::backend::flex::FlexTensor;
use burn::backend::ndarray::NdArrayTensor;
use burn::tensor::{Tensor, TensorData};

use crate::real::Real;

/// A tensor's values on the host, in the order of its shape; where they lie, if they lie in
/// that order.
pub(crate) enum HostTensor {
    Flex(FlexTensor),
    NdArray(NdArrayTensor),
    Copied(TensorData),
}

impl HostTensor {
    pub fn new<const D: usize>(tensor: Tensor<D>) -> Self {
        if let Ok(primitive) = tensor.clone().try_into_primitive::<Flex>() {
            return Self::Flex(primitive.to_contiguous());
        }
        let primitive = tensor.clone().try_into_primitive::<NdArray>();
        match primitive {
            Ok(primitive) if is_in_order(&primitive) => Self::NdArray(primitive),
            _ => Self::Copied(tensor.into_data()),
        }
    }

    /// # Panics
    /// If the values are not of type `E`; callers match the tensor's type first.
    pub fn slice<E: Real>(&self) -> &[E] {
        let slice = match self {
            Self::Flex(tensor) => tensor.as_slice::<E>(),
            Self::NdArray(NdArrayTensor::F32(values)) => {
                values.view().to_slice().and_then(E::same::<f32>)
            }
            Self::NdArray(NdArrayTensor::F64(values)) => {
                values.view().to_slice().and_then(E::same::<f64>)
            }
            Self::NdArray(_) => None,
            Self::Copied(data) => data.as_slice::<E>().ok(),
        };
        slice.expect("contiguous and of the type that was matched")
    }
}

fn is_in_order(tensor: &NdArrayTensor) -> bool {
    match tensor {
        NdArrayTensor::F32(values) => values.view().is_standard_layout(),
        NdArrayTensor::F64(values) => values.view().is_standard_layout(),
        _ => false,
    }
}
