//! Tensors as slices.

use burn::backend::ndarray::NdArrayTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, NdArray, TensorMetadata};
use burn::tensor::{Device, Shape, Tensor, TensorData};

use crate::real::Real;

/// A backend whose tensors lie in the host's memory.
pub(crate) trait Host: Backend {
    /// Runs `work` on the values of `tensor`, which is of type `E`, in the order of its
    /// shape: where they lie, if they lie in that order, else on a copy.
    fn read<E: Real, R>(tensor: FloatTensor<Self>, work: impl FnOnce(&[E]) -> R) -> R;

    /// A tensor that takes over `values`.
    fn write<E: Real>(values: Vec<E>, shape: Shape) -> FloatTensor<Self>;
}

impl Host for Flex {
    fn read<E: Real, R>(tensor: FloatTensor<Self>, work: impl FnOnce(&[E]) -> R) -> R {
        let tensor = tensor.to_contiguous();
        match tensor.as_slice() {
            Some(values) => work(values),
            None => work(&copied(tensor.into_data())),
        }
    }

    fn write<E: Real>(values: Vec<E>, shape: Shape) -> FloatTensor<Self> {
        burn::backend::flex::FlexTensor::from_data(TensorData::new(values, shape))
    }
}

impl Host for NdArray {
    fn read<E: Real, R>(tensor: FloatTensor<Self>, work: impl FnOnce(&[E]) -> R) -> R {
        let values = match &tensor {
            NdArrayTensor::F32(values) => values.view().to_slice().and_then(E::same::<f32>),
            NdArrayTensor::F64(values) => values.view().to_slice().and_then(E::same::<f64>),
            _ => None,
        };
        if let Some(values) = values {
            return work(values);
        }
        let values: Vec<E> = match &tensor {
            NdArrayTensor::F32(values) => values.view().iter().map(|v| E::from_real(*v)).collect(),
            NdArrayTensor::F64(values) => values.view().iter().map(|v| E::from_real(*v)).collect(),
            _ => vec![E::ZERO; tensor.shape().num_elements()],
        };
        work(&values)
    }

    fn write<E: Real>(values: Vec<E>, shape: Shape) -> FloatTensor<Self> {
        NdArrayTensor::from_data(TensorData::new(values, shape))
    }
}

/// Whether `device`, or the plain device under it, keeps tensors in the host's memory.
pub fn is_host(device: &Device) -> bool {
    let plain = if device.is_autodiff() {
        device.clone().inner()
    } else {
        device.clone()
    };
    plain == Device::flex() || plain == Device::ndarray()
}

fn copied<E: Real>(data: TensorData) -> Vec<E> {
    data.iter().collect()
}

/// Runs `work` on the values of `tensor` as `E`, in the order of its shape.
pub fn with_slice<E: Real, R, const D: usize>(
    tensor: Tensor<D>,
    work: impl FnOnce(&[E]) -> R,
) -> R {
    let tensor = tensor.cast(E::dtype());
    if let Ok(primitive) = tensor.clone().try_into_primitive::<Flex>() {
        return Flex::read(primitive, work);
    }
    if let Ok(primitive) = tensor.clone().try_into_primitive::<NdArray>() {
        return NdArray::read(primitive, work);
    }
    work(&copied(tensor.into_data()))
}

/// The values of `tensor` as `E`, in the order of its shape: taken over where nothing else holds
/// them and the device allows it, else copied.
pub fn into_values<E: Real, const D: usize>(tensor: Tensor<D>) -> Vec<E> {
    let is_taken = tensor.device() == Device::flex() && tensor.dtype() == E::dtype();
    if is_taken && let Ok(primitive) = tensor.clone().try_into_primitive::<Flex>() {
        drop(tensor);
        if primitive.is_unique() {
            // Of the type that was asked for, so this cannot fail.
            return primitive.into_data().try_into_vec().unwrap_or_default();
        }
        return Flex::read(primitive, <[E]>::to_vec);
    }
    with_slice(tensor, <[E]>::to_vec)
}

/// Whether two tensors are the same values in the same memory; `false` where that cannot be told.
pub fn share_memory<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> bool {
    let on_flex = |tensor: &Tensor<D>| tensor.clone().try_into_primitive::<Flex>();
    if a.dims() != b.dims() || a.device() != Device::flex() || b.device() != Device::flex() {
        return false;
    }
    let (Ok(a), Ok(b)) = (on_flex(a), on_flex(b)) else {
        return false;
    };
    std::ptr::eq(a.bytes(), b.bytes()) && a.layout() == b.layout() && a.dtype() == b.dtype()
}
