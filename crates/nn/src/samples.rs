//! Labelled samples as tensors, checked once.

use std::ops::Range;

use burgeon_core::block::is_finite;
use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::NnError;
use crate::layers::InnerOrSelf;

/// A model's input: something with one row for each sample.
pub trait Rows: Clone + Send + Sync + 'static {
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

    /// Rows that record gradients, with this gradient checkpointing; the same rows where they are
    /// not tensors.
    fn with_checkpointing(self, _strategy: GradientCheckpointingStrategy) -> Self {
        self
    }

    /// The device that they are on, where they are on one.
    fn device(&self) -> Option<Device> {
        None
    }

    /// Whether all values are numbers.
    fn all_finite(&self) -> bool;
}

impl<const D: usize> Rows for Tensor<D> {
    fn len(&self) -> usize {
        self.dims()[0]
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        let device = self.device();
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

    fn device(&self) -> Option<Device> {
        Some(Tensor::device(self))
    }

    fn all_finite(&self) -> bool {
        is_finite(self.clone())
    }
}

/// What a model should answer.
#[derive(Debug, Clone)]
pub enum Targets {
    /// A class for each sample, `[n]`.
    Classes(Tensor<1, Int>),
    /// Values for each sample, `[n, k]`.
    Values(Tensor<2>),
}

impl Targets {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.dims()[0],
            Self::Values(values) => values.dims()[0],
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes(classes) => {
                let device = classes.device();
                Self::Classes(classes.clone().select(0, index_tensor(indices, &device)))
            }
            Self::Values(values) => Self::Values(values.select_rows(indices)),
        }
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        match self {
            Self::Classes(classes) => {
                Self::Classes(classes.clone().narrow(0, range.start, range.len()))
            }
            Self::Values(values) => Self::Values(values.slice_rows(range)),
        }
    }

    fn to_autodiff(&self) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(Tensor::from_inner(classes.clone())),
            Self::Values(values) => Self::Values(values.clone().to_autodiff()),
        }
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        match self {
            Self::Classes(classes) => {
                Self::Classes(classes.with_gradient_checkpointing_strategy(strategy))
            }
            Self::Values(values) => Self::Values(values.with_checkpointing(strategy)),
        }
    }
}

fn index_tensor(indices: &[usize], device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}

/// Inputs with their targets, on a plain device.
///
/// Construction checks everything once: as many targets as inputs, at least one,
/// all finite, all labels in range.
#[derive(Debug, Clone)]
pub struct Samples<I> {
    inputs: I,
    targets: Targets,
}

impl<I: Rows> Samples<I> {
    /// Samples with one of `classes` labels each.
    ///
    /// # Errors
    /// [`NnError::Data`] that names what is wrong.
    pub fn classification(
        inputs: I,
        labels: &[usize],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        if let Some((row, label)) = labels.iter().enumerate().find(|(_, l)| **l >= classes) {
            return Err(NnError::Data(format!(
                "sample {row} has label {label}, but there are {classes} classes (0 to {})",
                classes.saturating_sub(1)
            )));
        }
        let targets = Targets::Classes(index_tensor(labels, &device.clone().inner_device()));
        Self::new(inputs, targets)
    }

    /// Samples with values `[n, k]` each.
    ///
    /// # Errors
    /// [`NnError::Data`] that names what is wrong.
    pub fn regression(inputs: I, values: Tensor<2>) -> Result<Self, NnError> {
        if !values.all_finite() {
            return Err(NnError::Data(
                "the target values hold NaN or an infinity: clean them first".into(),
            ));
        }
        Self::new(inputs, Targets::Values(values.inner_or_self()))
    }

    fn new(inputs: I, targets: Targets) -> Result<Self, NnError> {
        if inputs.is_empty() {
            return Err(NnError::Data(
                "the set is empty: at least one sample is needed".into(),
            ));
        }
        if inputs.len() != targets.len() {
            return Err(NnError::Data(format!(
                "{} inputs but {} targets: each sample needs one of both",
                inputs.len(),
                targets.len()
            )));
        }
        if !inputs.all_finite() {
            return Err(NnError::Data(
                "the inputs hold NaN or an infinity: clean them first".into(),
            ));
        }
        Ok(Self { inputs, targets })
    }

    /// Number of samples, at least 1.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a set of samples is never empty"
    )]
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// The inputs.
    pub fn inputs(&self) -> &I {
        &self.inputs
    }

    /// The targets.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The same samples with other inputs, and other values where the targets are
    /// values: a change of type, a normalisation.
    ///
    /// # Errors
    /// [`NnError::Data`] if they no longer fit.
    pub fn with_inputs<J: Rows>(
        &self,
        inputs: J,
        values: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Result<Samples<J>, NnError> {
        match &self.targets {
            Targets::Values(old) => Samples::regression(inputs, values(old.clone())),
            Targets::Classes(_) => Samples::new(inputs, self.targets.clone()),
        }
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`NnError::Data`] if there is none, or one is out of range.
    pub fn subset(&self, indices: &[usize]) -> Result<Self, NnError> {
        if indices.is_empty() {
            return Err(NnError::Data("a subset needs at least one sample".into()));
        }
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(NnError::Data(format!(
                "sample {index} does not exist: there are {}",
                self.len()
            )));
        }
        Ok(self.rows(indices))
    }

    /// `count` samples drawn without replacement by `seed`, or all of them, in
    /// their order, if there are no more.
    pub fn sample(&self, count: usize, seed: u64) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        self.rows(&self.shuffled(seed)[..count.max(1)])
    }

    /// Splits off a share of the samples, drawn by `seed`: `(rest, share)`.
    ///
    /// # Errors
    /// [`NnError::Data`] unless both parts have a sample.
    pub fn split_off(&self, share: f64, seed: u64) -> Result<(Self, Self), NnError> {
        let count = (self.len() as f64 * share).round();
        if !(count >= 1.0 && count < self.len() as f64) {
            return Err(NnError::Data(format!(
                "a share of {share} of {} samples leaves a part empty",
                self.len()
            )));
        }
        let order = self.shuffled(seed);
        let (taken, rest) = order.split_at(count as usize);
        Ok((self.rows(rest), self.rows(taken)))
    }

    /// Batches of at most `size` samples in their order.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Self> + '_ {
        let size = size.max(1);
        (0..self.len()).step_by(size).map(move |start| {
            let range = start..(start + size).min(self.len());
            Self {
                inputs: self.inputs.slice_rows(range.clone()),
                targets: self.targets.slice_rows(range),
            }
        })
    }

    /// Batches of at most `size` samples in the order that `seed` draws. A last sample that would
    /// be alone joins the batch before it: batch statistics of one sample are no statistics.
    pub(crate) fn shuffled_batches(
        &self,
        size: usize,
        seed: u64,
    ) -> impl Iterator<Item = Self> + '_ {
        let (order, size) = (self.shuffled(seed), size.max(1));
        let count = order.len();
        let lone = size > 1 && count > size && count % size == 1;
        let end = if lone { count - 1 } else { count };
        (0..end).step_by(size).map(move |start| {
            let stop = start + size;
            let stop = if stop >= end { count } else { stop };
            self.rows(&order[start..stop])
        })
    }

    /// The same samples where gradients are recorded.
    pub fn to_autodiff(&self) -> Self {
        Self {
            inputs: self.inputs.clone().to_autodiff(),
            targets: self.targets.to_autodiff(),
        }
    }

    /// The same samples where gradients are recorded as on `device`, the model's: with its
    /// gradient checkpointing.
    pub fn to_autodiff_of(&self, device: &Device) -> Self {
        let Self { inputs, targets } = self.to_autodiff();
        match device.gradient_checkpointing_strategy() {
            Some(strategy) => Self {
                inputs: inputs.with_checkpointing(strategy),
                targets: targets.with_checkpointing(strategy),
            },
            None => Self { inputs, targets },
        }
    }

    fn shuffled(&self, seed: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        order
    }

    fn rows(&self, indices: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select_rows(indices),
            targets: self.targets.select_rows(indices),
        }
    }
}

/// The plain device of one that may record gradients.
trait InnerDevice {
    fn inner_device(self) -> Self;
}

impl InnerDevice for Device {
    fn inner_device(self) -> Self {
        if self.is_autodiff() {
            self.inner()
        } else {
            self
        }
    }
}
