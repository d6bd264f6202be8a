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
        }
    }
}

impl TrainConfig {
    /// # Errors
    /// [`NnError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), NnError> {
        check_counts(&[("the batch size", self.batch_size)])
    }
}
