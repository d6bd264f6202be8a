//! A share of the network's neurons.

use super::{Budget, Selector, best, out_of_range};
use crate::criterion::Candidate;
use crate::error::CoreError;

/// The best candidates, as many as a fraction of all neurons of all sites
/// together, rounded up (30 % in the S2D paper's code).
#[derive(Debug, Clone, Copy)]
pub struct Fraction {
    fraction: f64,
}

impl Fraction {
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < fraction ≤ 1`.
    pub fn new(fraction: f64) -> Result<Self, CoreError> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return out_of_range("fraction of neurons", fraction, "above 0 and at most 1");
        }
        Ok(Self { fraction })
    }
}

impl Selector for Fraction {
    fn name(&self) -> &'static str {
        "fraction"
    }

    fn select(
        &self,
        candidates: Vec<Candidate>,
        budget: Budget,
    ) -> Result<Vec<Candidate>, CoreError> {
        // The small subtraction keeps 0.1 · 30 at 3 and not, by rounding, at 4.
        let count = (self.fraction * budget.neurons as f64 - 1e-9).ceil() as usize;
        Ok(best(candidates, count, budget))
    }
}
