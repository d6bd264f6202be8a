//! Labelled samples as tensors, checked once.

mod from_targets;
pub mod order;
mod stratified;

pub use stratified::stratified_rows;

use std::ops::Range;

use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor};

use crate::any::AnyInput;
use crate::error::NnError;
use crate::ports::{InnerOrSelf, Input, index_tensor};

/// What a model should answer.
#[derive(Debug, Clone)]
pub enum Targets {
    /// A class for each sample, `[n]`.
    Classes(Tensor<1, Int>),
    /// A class for each position of each sample, `[n, positions]`, in the order of
    /// [`Output::into_rows`](crate::Output::into_rows).
    Positions(Tensor<2, Int>),
    /// Values for each sample, `[n, k]`.
    Values(Tensor<2>),
}

impl Targets {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.dims()[0],
            Self::Positions(classes) => classes.dims()[0],
            Self::Values(values) => values.dims()[0],
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes of all rows of outputs, `[rows]`; `None` for values.
    pub fn classes(&self) -> Option<Tensor<1, Int>> {
        match self {
            Self::Classes(classes) => Some(classes.clone()),
            Self::Positions(classes) => Some(classes.clone().flatten(0, 1)),
            Self::Values(_) => None,
        }
    }

    fn select_rows(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes(classes) => {
                let device = classes.device();
                Self::Classes(classes.clone().select(0, index_tensor(indices, &device)))
            }
            Self::Positions(classes) => Self::Positions(classes.select_rows(indices)),
            Self::Values(values) => Self::Values(values.select_rows(indices)),
        }
    }

    fn slice_rows(&self, range: Range<usize>) -> Self {
        match self {
            Self::Classes(classes) => {
                Self::Classes(classes.clone().narrow(0, range.start, range.len()))
            }
            Self::Positions(classes) => Self::Positions(classes.slice_rows(range)),
            Self::Values(values) => Self::Values(values.slice_rows(range)),
        }
    }

    fn to_autodiff(&self) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(Tensor::from_inner(classes.clone())),
            Self::Positions(classes) => Self::Positions(classes.clone().to_autodiff()),
            Self::Values(values) => Self::Values(values.clone().to_autodiff()),
        }
    }

    fn with_checkpointing(self, strategy: GradientCheckpointingStrategy) -> Self {
        match self {
            Self::Classes(classes) => {
                Self::Classes(classes.with_gradient_checkpointing_strategy(strategy))
            }
            Self::Positions(classes) => Self::Positions(classes.with_checkpointing(strategy)),
            Self::Values(values) => Self::Values(values.with_checkpointing(strategy)),
        }
    }
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

impl<I: Input> Samples<I> {
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
        check_labels(labels)?;
        let targets = Targets::Classes(index_tensor(labels, &device.clone().inner_device()));
        Self::new(inputs, targets)
    }

    /// Samples with a label for each of their positions: `labels` has those of the first sample,
    /// then of the second, in the order of [`Output::into_rows`](crate::Output::into_rows) (`[b, s,
    /// k]`: the steps; maps `[b, k, h, w]`: row by row). A label of `classes` or more is one that
    /// an objective has to [ignore](crate::Objective::ignored).
    ///
    /// # Errors
    /// [`NnError::Data`] that names what is wrong.
    pub fn positions(inputs: I, labels: &[usize], device: &Device) -> Result<Self, NnError> {
        let samples = inputs.len();
        if samples == 0 || labels.is_empty() || !labels.len().is_multiple_of(samples) {
            return Err(NnError::Data(format!(
                "{} labels for {samples} samples: each needs as many as it has positions",
                labels.len()
            )));
        }
        check_labels(labels)?;
        let labels_of_all = index_tensor(labels, &device.clone().inner_device());
        let each = labels.len() / samples;
        Self::new(
            inputs,
            Targets::Positions(labels_of_all.reshape([samples, each])),
        )
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
                "the set is empty: at least one sample is needed, and as many rows of each input"
                    .into(),
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
    pub fn with_inputs<J: Input>(
        &self,
        inputs: J,
        values: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Result<Samples<J>, NnError> {
        match &self.targets {
            Targets::Values(old) => Samples::regression(inputs, values(old.clone())),
            Targets::Classes(_) | Targets::Positions(_) => {
                Samples::new(inputs, self.targets.clone())
            }
        }
    }

    /// The same samples, whose type of input the code that handles them need not know.
    pub fn into_any(self) -> Samples<AnyInput> {
        Samples {
            inputs: AnyInput::new(self.inputs),
            targets: self.targets,
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
        self.rows(&order::shuffled(self.len(), seed)[..count.max(1)])
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
        let order = order::shuffled(self.len(), seed);
        let (taken, rest) = order.split_at(count as usize);
        Ok((self.rows(rest), self.rows(taken)))
    }

    /// Batches of at most `size` samples in their order.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Self> + '_ {
        let size = size.max(1);
        (0..self.len())
            .step_by(size)
            .map(move |start| self.slice(start..(start + size).min(self.len())))
    }

    /// The samples of these rows, which must be there.
    pub(crate) fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            inputs: self.inputs.slice_rows(rows.clone()),
            targets: self.targets.slice_rows(rows),
        }
    }

    /// The samples of some rows, in order.
    ///
    /// # Errors
    /// [`NnError::Data`] if a piece is empty, or beyond the samples.
    pub fn piece(&self, rows: Range<usize>) -> Result<Self, NnError> {
        match rows.start < rows.end && rows.end <= self.len() {
            true => Ok(self.slice(rows)),
            false => Err(NnError::Data(format!(
                "rows {} to {} of {} samples: a piece has at least one, of those there are",
                rows.start,
                rows.end,
                self.len()
            ))),
        }
    }

    /// Batches of at most `size` samples in the order that `seed` draws
    /// ([`order::shuffled_batches`]).
    pub fn shuffled_batches(&self, size: usize, seed: u64) -> impl Iterator<Item = Self> + '_ {
        order::shuffled_batches(self.len(), size, seed).map(move |indices| self.rows(&indices))
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

    fn rows(&self, indices: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select_rows(indices),
            targets: self.targets.select_rows(indices),
        }
    }
}

/// Refuses labels beyond what integers of any device hold.
fn check_labels(labels: &[usize]) -> Result<(), NnError> {
    let large = labels
        .iter()
        .position(|label| i32::try_from(*label).is_err());
    match large {
        None => Ok(()),
        Some(row) => Err(NnError::Data(format!(
            "label {row} is {}: labels are at most {}",
            labels[row],
            i32::MAX
        ))),
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
