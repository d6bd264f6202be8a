//! What a model reads and what it answers.

use std::ops::Range;

use burgeon_core::block::is_finite;
use burn::backend::DispatchTensor;
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Int, Tensor, TensorData};

/// A model's input: tensors with one row for each sample. Floats, integers, and tuples of
/// inputs are.
pub trait Input: Clone + Send + Sync + 'static {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at `indices`, in that order.
    fn select_rows(&self, indices: &[usize]) -> Self;

    /// The rows of `range`, in their order.
    fn slice_rows(&self, range: Range<usize>) -> Self {
        self.select_rows(&range.collect::<Vec<_>>())
    }

    /// The same rows where gradients are recorded.
    fn to_autodiff(self) -> Self;

    /// Rows that record gradients, with this gradient checkpointing.
    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self;

    /// Floats in another type; integers as they are.
    fn cast_floats(self, dtype: DType) -> Self;

    /// Whether all values are numbers.
    fn all_finite(&self) -> bool;

    /// The same rows on another device.
    fn to_device(self, device: &Device) -> Self;

    /// The device.
    fn device(&self) -> Device;

    /// The tensors, in order.
    fn into_values(self) -> Vec<DispatchTensor>;
}

impl<const D: usize> Input for Tensor<D> {
    fn len(&self) -> usize {
        self.dims()[0]
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        let device = Tensor::device(self);
        self.clone().select(0, index_tensor(indices, &device))
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        self.clone().narrow(0, range.start, range.len())
    }

    fn to_autodiff(self) -> Self {
        Tensor::from_inner(self)
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        self.with_gradient_checkpointing_strategy(strategy)
    }

    fn cast_floats(self, dtype: DType) -> Self {
        self.cast(dtype)
    }

    fn all_finite(&self) -> bool {
        is_finite(self.clone())
    }

    fn to_device(self, device: &Device) -> Self {
        Tensor::to_device(self, device)
    }

    fn device(&self) -> Device {
        Tensor::device(self)
    }

    fn into_values(self) -> Vec<DispatchTensor> {
        vec![self.into_dispatch()]
    }
}

impl<const D: usize> Input for Tensor<D, Int> {
    fn len(&self) -> usize {
        self.dims()[0]
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        let device = Tensor::device(self);
        self.clone().select(0, index_tensor(indices, &device))
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        self.clone().narrow(0, range.start, range.len())
    }

    fn to_autodiff(self) -> Self {
        Tensor::from_inner(self)
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        self.with_gradient_checkpointing_strategy(strategy)
    }

    fn cast_floats(self, _dtype: DType) -> Self {
        self
    }

    fn all_finite(&self) -> bool {
        true
    }

    fn to_device(self, device: &Device) -> Self {
        Tensor::to_device(self, device)
    }

    fn device(&self) -> Device {
        Tensor::device(self)
    }

    fn into_values(self) -> Vec<DispatchTensor> {
        vec![self.into_dispatch()]
    }
}

macro_rules! tuple_input {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Input),+> Input for ($($name,)+) {
            /// The rows that all of them have; 0 where their numbers differ.
            fn len(&self) -> usize {
                let lengths = [$(self.$index.len()),+];
                match lengths.iter().all(|length| *length == lengths[0]) {
                    true => lengths[0],
                    false => 0,
                }
            }

            fn select_rows(&self, indices: &[usize]) -> Self {
                ($(self.$index.select_rows(indices),)+)
            }

            fn slice_rows(&self, range: Range<usize>) -> Self {
                ($(self.$index.slice_rows(range.clone()),)+)
            }

            fn to_autodiff(self) -> Self {
                ($(self.$index.to_autodiff(),)+)
            }

            fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
                ($(self.$index.with_checkpointing(strategy),)+)
            }

            fn cast_floats(self, dtype: DType) -> Self {
                ($(self.$index.cast_floats(dtype),)+)
            }

            fn all_finite(&self) -> bool {
                $(self.$index.all_finite())&&+
            }

            fn to_device(self, device: &Device) -> Self {
                ($(self.$index.to_device(device),)+)
            }

            fn device(&self) -> Device {
                self.0.device()
            }

            fn into_values(self) -> Vec<DispatchTensor> {
                let mut values = Vec::new();
                $(values.extend(self.$index.into_values());)+
                values
            }
        }
    };
}

tuple_input!(A 0, B 1);
tuple_input!(A 0, B 1, C 2);
tuple_input!(A 0, B 1, C 2, D 3);

mod sealed {
    /// How rows lie in a tensor is known by its number of axes alone, whoever asks.
    pub trait TensorOutput {}
}
pub(crate) use sealed::TensorOutput;

/// A model's answer: a tensor of one to four axes with one row for each sample.
pub trait Output: TensorOutput + Clone + Send + 'static {
    /// One row of outputs for each sample, or for each of its positions: `[b, k]` as it is,
    /// `[b, s, k]` as `[b·s, k]`, maps `[b, k, h, w]` as `[b·h·w, k]`.
    fn into_rows(self) -> Tensor<2>;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tensor.
    fn into_value(self) -> DispatchTensor;

    /// The answer that a tensor of the right rank is.
    fn from_value(value: DispatchTensor) -> Self;
}

macro_rules! tensor_output {
    ($rank:literal, $tensor:ident => $rows:expr) => {
        impl TensorOutput for Tensor<$rank> {}

        impl Output for Tensor<$rank> {
            fn into_rows(self) -> Tensor<2> {
                let $tensor = self;
                $rows
            }

            fn len(&self) -> usize {
                self.dims()[0]
            }

            fn into_value(self) -> DispatchTensor {
                self.into_dispatch()
            }

            fn from_value(value: DispatchTensor) -> Self {
                Tensor::from_dispatch(value)
            }
        }
    };
}

tensor_output!(1, tensor => tensor.unsqueeze_dim(1));
tensor_output!(2, tensor => tensor);
tensor_output!(3, tensor => {
    let [b, s, k] = tensor.dims();
    tensor.reshape([b * s, k])
});
tensor_output!(4, tensor => {
    let [b, k, h, w] = tensor.dims();
    tensor.permute([0, 2, 3, 1]).reshape([b * h * w, k])
});

pub(crate) fn index_tensor(indices: &[usize], device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}

/// The plain tensor under one that may be on an autodiff device.
pub trait InnerOrSelf {
    /// Off the graph and off the autodiff device, if it was on one.
    fn inner_or_self(self) -> Self;
}

impl<const D: usize> InnerOrSelf for Tensor<D> {
    fn inner_or_self(self) -> Self {
        if self.is_autodiff() {
            self.inner()
        } else {
            self
        }
    }
}
