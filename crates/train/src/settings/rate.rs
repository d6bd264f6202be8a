//! Learning rates.

use burgeon_nn::NnError;
use serde::{Deserialize, Serialize};

/// The learning rate over the epochs since the last growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearningRate {
    /// Always the same.
    Constant(f64),
    /// Multiplied by `factor` at each milestone.
    Step {
        /// The first rate.
        initial: f64,
        /// Epochs since the last growth at which it changes.
        milestones: Vec<usize>,
        /// The factor.
        factor: f64,
    },
    /// From `initial` to `last` over `epochs`, along a cosine.
    Cosine {
        /// The first rate.
        initial: f64,
        /// The rate from `epochs` on.
        last: f64,
        /// Length of the descent.
        epochs: usize,
    },
}

impl LearningRate {
    /// The rate in the epoch that is `epoch` epochs (from 0) after the last growth.
    pub fn at(&self, epoch: usize) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Step {
                initial,
                milestones,
                factor,
            } => {
                let passed = milestones.iter().filter(|m| epoch >= **m).count();
                initial * factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
            Self::Cosine {
                initial,
                last,
                epochs,
            } => {
                let progress = (epoch as f64 / (*epochs).max(1) as f64).min(1.0);
                last + 0.5 * (initial - last) * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), NnError> {
        let rates = match self {
            Self::Constant(rate) => vec![*rate],
            Self::Step {
                initial, factor, ..
            } => vec![*initial, *factor],
            Self::Cosine { initial, last, .. } => vec![*initial, *last],
        };
        if rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0) {
            return Ok(());
        }
        Err(NnError::Settings(format!(
            "learning rate {self:?}: it must be a number, and not negative"
        )))
    }
}
