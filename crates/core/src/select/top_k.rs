//! A fixed number of candidates.

use super::{Room, Selector, best, out_of_range};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// The `count` candidates of largest score.
#[derive(Debug, Clone, Copy)]
pub struct TopK {
    count: usize,
}

impl TopK {
    /// # Errors
    /// [`CoreError::Parameter`] if `count` is 0.
    pub fn new(count: usize) -> Result<Self, CoreError> {
        if count == 0 {
            return out_of_range("top-k count", count, "at least 1");
        }
        Ok(Self { count })
    }
}

impl Selector for TopK {
    fn name(&self) -> &str {
        "top-k"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        Ok(best(candidates, self.count, room))
    }
}
