//! All candidates that are good enough.

use super::{Room, Selector, best, out_of_range};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// Every candidate whose score is at least a threshold.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    score: f64,
}

impl Threshold {
    /// # Errors
    /// [`CoreError::Parameter`] if `score` is not a number.
    pub fn new(score: f64) -> Result<Self, CoreError> {
        if !score.is_finite() {
            return out_of_range("score threshold", score, "a finite number");
        }
        Ok(Self { score })
    }
}

impl Selector for Threshold {
    fn name(&self) -> &str {
        "threshold"
    }

    fn select(
        &self,
        mut candidates: Vec<Candidate>,
        room: &Room,
    ) -> Result<Vec<Candidate>, CoreError> {
        candidates.retain(|candidate| candidate.score >= self.score);
        let count = candidates.len();
        Ok(best(candidates, count, room))
    }
}
