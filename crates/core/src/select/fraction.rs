//! A share of the network's neurons.

use super::{Room, Selector, best, check_share, share_of};
use crate::candidate::Candidate;
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
        let fraction = check_share("fraction of neurons", fraction)?;
        Ok(Self { fraction })
    }
}

impl Selector for Fraction {
    fn name(&self) -> &str {
        "fraction"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        let count = share_of(self.fraction, room.neurons());
        Ok(best(candidates, count, room))
    }
}
