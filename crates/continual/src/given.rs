//! What a task's column reads: images, and what reused old neurons answer to them.

use std::ops::Range;

use burgeon_nn::Input;
use burn::backend::DispatchTensor;
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Int, Tensor, TensorData};

/// Images `[b, channels, height, width]`, and for each hidden layer what the old neurons that a
/// task reuses answer there, `[b, reused, h, w]`. Old neurons are frozen, so their answers are
/// data, computed once for a task.
#[derive(Debug, Clone)]
pub struct Given {
    images: Tensor<4>,
    reused: Vec<Option<Tensor<4>>>,
}

impl Given {
    /// `reused` has an entry for each hidden layer: none where nothing is reused.
    pub(crate) fn new(images: Tensor<4>, reused: Vec<Option<Tensor<4>>>) -> Self {
        Self { images, reused }
    }

    /// The images.
    pub fn images(&self) -> &Tensor<4> {
        &self.images
    }

    /// What the reused neurons of hidden layer `layer` answer.
    pub fn reused(&self, layer: usize) -> Option<&Tensor<4>> {
        self.reused.get(layer).and_then(Option::as_ref)
    }

    /// Reused neurons of each hidden layer.
    pub(crate) fn reused_widths(&self) -> Vec<usize> {
        let width = |answers: &Option<Tensor<4>>| answers.as_ref().map_or(0, |a| a.dims()[1]);
        self.reused.iter().map(width).collect()
    }

    /// With the reused neurons at `kept` of each hidden layer only.
    pub(crate) fn keeping(&self, kept: &[Vec<usize>]) -> Self {
        let reused = self.reused.iter().zip(kept).map(|(answers, kept)| {
            let answers = answers.clone().filter(|_| !kept.is_empty())?;
            let indices = indices(kept, &answers.device());
            Some(answers.select(1, indices))
        });
        Self::new(self.images.clone(), reused.collect())
    }

    fn map(self, change: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            images: change(self.images),
            reused: self
                .reused
                .into_iter()
                .map(|answers| answers.map(&change))
                .collect(),
        }
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor<4>> {
        std::iter::once(&self.images).chain(self.reused.iter().flatten())
    }
}

impl Input for Given {
    /// The rows that all of them have; 0 where their numbers differ.
    fn len(&self) -> usize {
        let rows = self.images.dims()[0];
        match self.tensors().all(|tensor| tensor.dims()[0] == rows) {
            true => rows,
            false => 0,
        }
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        self.clone().map(|tensor| tensor.select_rows(indices))
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        self.clone().map(|tensor| tensor.slice_rows(range.clone()))
    }

    fn to_autodiff(self) -> Self {
        self.map(Tensor::from_inner)
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        self.map(|tensor| tensor.with_checkpointing(strategy))
    }

    fn cast_floats(self, dtype: DType) -> Self {
        self.map(|tensor| tensor.cast(dtype))
    }

    fn all_finite(&self) -> bool {
        self.tensors().all(Input::all_finite)
    }

    fn to_device(self, device: &Device) -> Self {
        self.map(|tensor| tensor.to_device(device))
    }

    fn device(&self) -> Device {
        self.images.device()
    }

    fn into_values(self) -> Vec<DispatchTensor> {
        let Self { images, reused } = self;
        let all = std::iter::once(images).chain(reused.into_iter().flatten());
        all.map(Tensor::into_dispatch).collect()
    }
}

/// Indices as a tensor.
pub(crate) fn indices(kept: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = kept.iter().map(|&index| index as i64).collect();
    Tensor::from_data(TensorData::new(values, [kept.len()]), device)
}
