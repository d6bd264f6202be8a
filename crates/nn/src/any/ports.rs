//! Inputs, answers and sources of samples of any type.

use std::any::Any;
use std::ops::Range;

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};

use crate::error::NnError;
use crate::ports::{Input, Output};
use crate::samples::{Samples, Targets};
use crate::source::{Batches, Source};

/// The input of any model.
pub struct AnyInput(Box<dyn DynInput>);

impl AnyInput {
    /// `input`, whose type the code that handles it need not know. One of any type already stays as
    /// it is.
    pub fn new(input: impl Input) -> Self {
        match (&input as &dyn Any).downcast_ref::<Self>() {
            Some(any) => any.clone(),
            None => Self(Box::new(input)),
        }
    }

    /// The input, if it is an `I`, or itself, if that is what `I` is.
    pub(super) fn into_inner<I: Input>(self) -> Option<I> {
        let mut own = Some(self);
        match (&mut own as &mut dyn Any).downcast_mut::<Option<I>>() {
            Some(asked) => asked.take(),
            None => own?.0.into_any().downcast().ok().map(|input| *input),
        }
    }
}

impl Clone for AnyInput {
    fn clone(&self) -> Self {
        Self(self.0.cloned())
    }
}

/// An [`Input`] as a trait object.
trait DynInput: Send + Sync {
    fn cloned(&self) -> Box<dyn DynInput>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn rows(&self) -> usize;
    fn select(&self, indices: &[usize]) -> Box<dyn DynInput>;
    fn slice(&self, range: Range<usize>) -> Box<dyn DynInput>;
    fn on_tape(self: Box<Self>) -> Box<dyn DynInput>;
    fn checkpointed(self: Box<Self>, strategy: GradientCheckpointingStrategy) -> Box<dyn DynInput>;
    fn cast(self: Box<Self>, dtype: DType) -> Box<dyn DynInput>;
    fn is_finite(&self) -> bool;
    fn moved(self: Box<Self>, device: &Device) -> Box<dyn DynInput>;
    fn place(&self) -> Device;
    fn values(self: Box<Self>) -> Vec<DispatchTensor>;
}

impl<I: Input> DynInput for I {
    fn cloned(&self) -> Box<dyn DynInput> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn select(&self, indices: &[usize]) -> Box<dyn DynInput> {
        Box::new(self.select_rows(indices))
    }

    fn slice(&self, range: Range<usize>) -> Box<dyn DynInput> {
        Box::new(self.slice_rows(range))
    }

    fn on_tape(self: Box<Self>) -> Box<dyn DynInput> {
        Box::new(self.to_autodiff())
    }

    fn checkpointed(self: Box<Self>, strategy: GradientCheckpointingStrategy) -> Box<dyn DynInput> {
        Box::new(self.with_checkpointing(strategy))
    }

    fn cast(self: Box<Self>, dtype: DType) -> Box<dyn DynInput> {
        Box::new(self.cast_floats(dtype))
    }

    fn is_finite(&self) -> bool {
        self.all_finite()
    }

    fn moved(self: Box<Self>, device: &Device) -> Box<dyn DynInput> {
        Box::new((*self).to_device(device))
    }

    fn place(&self) -> Device {
        self.device()
    }

    fn values(self: Box<Self>) -> Vec<DispatchTensor> {
        self.into_values()
    }
}

impl Input for AnyInput {
    fn len(&self) -> usize {
        self.0.rows()
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        Self(self.0.select(indices))
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        Self(self.0.slice(range))
    }

    fn to_autodiff(self) -> Self {
        Self(self.0.on_tape())
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        Self(self.0.checkpointed(strategy))
    }

    fn cast_floats(self, dtype: DType) -> Self {
        Self(self.0.cast(dtype))
    }

    fn all_finite(&self) -> bool {
        self.0.is_finite()
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.moved(device))
    }

    fn device(&self) -> Device {
        self.0.place()
    }

    fn into_values(self) -> Vec<DispatchTensor> {
        self.0.values()
    }
}

/// The answer of any model: a tensor of one to four axes.
#[derive(Clone)]
pub struct AnyOutput(Shaped);

#[derive(Clone)]
enum Shaped {
    One(Tensor<1>),
    Two(Tensor<2>),
    Three(Tensor<3>),
    Four(Tensor<4>),
}

impl AnyOutput {
    pub(super) fn new(output: impl Output) -> Self {
        Self::from_value(output.into_value())
    }
}

/// `$work` on the tensor of an answer.
macro_rules! on_tensor {
    ($output:expr, $tensor:ident => $work:expr) => {
        match $output {
            Shaped::One($tensor) => $work,
            Shaped::Two($tensor) => $work,
            Shaped::Three($tensor) => $work,
            Shaped::Four($tensor) => $work,
        }
    };
}

impl crate::ports::TensorOutput for AnyOutput {}

impl Output for AnyOutput {
    fn into_rows(self) -> Tensor<2> {
        on_tensor!(self.0, tensor => Output::into_rows(tensor))
    }

    fn len(&self) -> usize {
        on_tensor!(&self.0, tensor => Output::len(tensor))
    }

    fn into_value(self) -> DispatchTensor {
        on_tensor!(self.0, tensor => tensor.into_dispatch())
    }

    fn from_value(value: DispatchTensor) -> Self {
        Self(match value.shape().num_dims() {
            1 => Shaped::One(Tensor::from_dispatch(value)),
            2 => Shaped::Two(Tensor::from_dispatch(value)),
            3 => Shaped::Three(Tensor::from_dispatch(value)),
            _ => Shaped::Four(Tensor::from_dispatch(value)),
        })
    }
}

/// A source whose samples have inputs of any type.
pub struct AnySource<I>(Box<dyn Source<I>>);

impl<I: Input> AnySource<I> {
    /// The samples of `source`.
    pub fn new(source: Box<dyn Source<I>>) -> Self {
        Self(source)
    }
}

impl<I: Input> Source<AnyInput> for AnySource<I> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn subset(&self, indices: &[usize]) -> Result<Samples<AnyInput>, NnError> {
        Ok(self.0.subset(indices)?.into_any())
    }

    fn batches(&self, size: usize, seed: u64) -> Batches<'_, AnyInput> {
        let batches = self.0.batches(size, seed);
        Box::new(batches.map(|batch| Ok(batch?.into_any())))
    }

    fn sample(&self, count: usize, seed: u64) -> Result<Samples<AnyInput>, NnError> {
        Ok(self.0.sample(count, seed)?.into_any())
    }

    fn targets(&self) -> Option<&Targets> {
        self.0.targets()
    }
}
