//! A rate that is reduced where the loss stalls.

use serde::{Deserialize, Serialize};

use super::is_rate;
use burgeon_nn::NnError;

/// The rate is multiplied by `factor` each time the loss has stalled for `patience` epochs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Epochs without enough progress, at least 1.
    pub patience: usize,
    /// The relative decrease of the least loss that counts as progress.
    pub min_decrease: f64,
    /// The factor, between 0 and 1.
    pub factor: f64,
    /// The rate that reductions do not go below; other decays may.
    pub minimum: f64,
}

/// What a [`Plateau`] has seen of a run: part of what is saved of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The least loss, if there was any.
    pub best: Option<f64>,
    /// Epochs since it decreased enough, or since the last reduction.
    pub stalled: usize,
    /// Reductions made.
    pub reductions: u32,
}

impl Plateau {
    pub(super) fn check(&self) -> Result<(), NnError> {
        let factor = self.factor > 0.0 && self.factor < 1.0;
        let decrease = (0.0..1.0).contains(&self.min_decrease);
        if self.patience > 0 && factor && decrease && is_rate(self.minimum) {
            return Ok(());
        }
        Err(NnError::Settings(format!(
            "{self:?}: the patience must be at least 1, the factor between 0 and 1, the least \
             decrease from 0 to below 1 and the minimum a rate that is not negative"
        )))
    }

    /// `rate` after the reductions of `state`.
    pub(super) fn reduced(&self, rate: f64, state: &PlateauState) -> f64 {
        let reductions = i32::try_from(state.reductions).unwrap_or(i32::MAX);
        let reduced = rate * self.factor.powi(reductions);
        reduced.max(self.minimum.min(rate))
    }

    pub(super) fn observe(&self, loss: f64, state: &mut PlateauState) {
        let least = |best: f64| loss < best - self.min_decrease * best.abs();
        // A loss that is no number is no progress.
        if loss.is_finite() && state.best.is_none_or(least) {
            state.best = Some(loss);
            state.stalled = 0;
            return;
        }
        state.stalled += 1;
        if state.stalled >= self.patience {
            state.reductions = state.reductions.saturating_add(1);
            state.stalled = 0;
        }
    }
}
