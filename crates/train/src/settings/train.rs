//! How a network is trained.

use burgeon_nn::NnError;
use serde::{Deserialize, Serialize};

use super::check_counts;
use crate::rate::RateSchedule;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// Samples in a batch.
    pub batch_size: usize,
    /// The learning rate over the run.
    pub learning_rate: RateSchedule,
    /// Whether training runs in bfloat16, forward and backward, on a narrowed copy of the weights
    /// ([`burgeon_ops::precision`]). The weights themselves, batch normalisations, the loss and the
    /// optimizer stay in the network's type, and so do evaluation, capture, spectra and line
    /// search. Refused on a device that does not compute in bfloat16.
    pub mixed_precision: bool,
    /// Whether the device's random generator is seeded at each epoch, which makes
    /// models that draw in `forward` (dropout) reproducible and resumable. Burn has one
    /// generator for the whole process, so turn it off where several runs share it.
    pub seeds_device: bool,
    /// Fixes the order of samples, the captured samples and every random choice.
    pub seed: u64,
    /// The rate of the weights that a growth added; that of all others unless told.
    pub new_weights: Option<NewWeightRate>,
}

/// The rate of weights that a growth added: what their updates are multiplied with, which goes
/// back to 1 linearly.
///
/// Newborn neurons lag behind those that were trained before; learning rates of their own let them
/// catch up (Yuan et al. 2023, arXiv 2306.12700; SPARKLING, arXiv 2602.02472). New are the slices
/// that a growth appends: those of new neurons and of a split's copies, but the parent's place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NewWeightRate {
    factor: f64,
    steps: usize,
}

impl NewWeightRate {
    /// `factor` times the rate at the first step of the optimizer after a growth, as the others
    /// `steps` steps later.
    ///
    /// # Errors
    /// [`NnError::Settings`] if `factor` is not above 0, or there is no step.
    pub fn new(factor: f64, steps: usize) -> Result<Self, NnError> {
        let rate = Self { factor, steps };
        rate.check()?;
        Ok(rate)
    }

    /// Optimizer steps until the factor is 1.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The factor once so many steps were made since the growth.
    pub fn factor(&self, steps: usize) -> f64 {
        let left = self.steps.saturating_sub(steps) as f64 / self.steps.max(1) as f64;
        1.0 + (self.factor - 1.0) * left
    }

    fn check(&self) -> Result<(), NnError> {
        check_counts(&[("the number of steps at a rate of their own", self.steps)])?;
        match self.factor > 0.0 && self.factor.is_finite() {
            true => Ok(()),
            false => Err(NnError::Settings(format!(
                "new weights at {} times the rate: it must be above 0",
                self.factor
            ))),
        }
    }
}

impl Default for TrainConfig {
    /// Batches of 128 at the default rate.
    fn default() -> Self {
        Self {
            batch_size: 128,
            learning_rate: RateSchedule::default(),
            mixed_precision: false,
            seeds_device: true,
            seed: 0,
            new_weights: None,
        }
    }
}

impl TrainConfig {
    /// # Errors
    /// [`NnError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), NnError> {
        if let Some(rate) = &self.new_weights {
            rate.check()?;
        }
        check_counts(&[("the batch size", self.batch_size)])
    }
}
