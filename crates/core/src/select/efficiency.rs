//! What gains most for its price.

use super::{Room, Selector, check_share, most_valuable, out_of_range, share_of, within};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// The candidates of most value for their price, as many as a share of all neurons: value divided
/// by a power of the price. Power 1 is value per cost; ½, the square root of the cost, is what the
/// code released with arXiv 1910.03103 prices by; 0 leaves prices out.
#[derive(Debug, Clone, Copy)]
pub struct Efficiency {
    share: f64,
    power: f64,
}

impl Efficiency {
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < share ≤ 1` and `0 ≤ power ≤ 1`.
    pub fn new(share: f64, power: f64) -> Result<Self, CoreError> {
        let share = check_share("share of neurons", share)?;
        if !(0.0..=1.0).contains(&power) {
            return out_of_range("power of the price", power, "from 0 to 1");
        }
        Ok(Self { share, power })
    }
}

impl Selector for Efficiency {
    fn name(&self) -> &str {
        "efficiency"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        let mut candidates = most_valuable(candidates, room);
        let worth = |candidate: &Candidate| {
            candidate.value() / (candidate.price.max(1) as f64).powf(self.power)
        };
        candidates.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        let mut chosen = within(candidates, room);
        chosen.truncate(share_of(self.share, room.neurons()));
        Ok(chosen)
    }
}
