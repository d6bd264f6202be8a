//! Selectors: candidates + room → the chosen ones.
//!
//! A selector knows nothing of splits or new neurons: only scores, prices and claims. Here is one
//! that takes a single candidate of each site:
//!
//! ```
//! use std::collections::HashSet;
//!
//! use burgeon_core::criterion::Candidate;
//! use burgeon_core::select::{Room, Selector, best};
//! use burgeon_core::CoreError;
//!
//! #[derive(Debug)]
//! struct OneEach;
//!
//! impl Selector for OneEach {
//!     fn name(&self) -> &str {
//!         "one-each"
//!     }
//!
//!     fn select(
//!         &self,
//!         candidates: Vec<Candidate>,
//!         room: &Room,
//!     ) -> Result<Vec<Candidate>, CoreError> {
//!         let mut seen = HashSet::new();
//!         let ranked = best(candidates, usize::MAX, room);
//!         let first = ranked.into_iter().filter(|c| seen.insert(c.growth.site().to_owned()));
//!         Ok(first.collect())
//!     }
//! }
//! ```

mod efficiency;
mod fraction;
mod knapsack;
mod linear_programme;
mod per_layer;
mod programme;
mod threshold;
mod tile_filling;
mod top_k;

pub use efficiency::Efficiency;
pub use fraction::Fraction;
pub use knapsack::Knapsack;
pub use linear_programme::LinearProgramme;
pub use per_layer::PerLayer;
pub use threshold::Threshold;
pub use tile_filling::{TileFilling, WidthPrice};
pub use top_k::TopK;

use std::collections::HashSet;
use std::fmt::Debug;

use crate::candidate::Candidate;
use crate::error::CoreError;
use crate::growth::Claim;

/// What a selection may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// The neurons of each site as the network stands.
    pub widths: Vec<(String, usize)>,
    /// Cost left, in the unit of the candidates' prices; `None` is no limit.
    pub cost: Option<u64>,
}

impl Room {
    /// Neurons of all sites together.
    pub fn neurons(&self) -> usize {
        self.widths.iter().map(|(_, width)| width).sum()
    }

    /// Cost left, the largest number where there is no limit.
    fn most(&self) -> u64 {
        self.cost.unwrap_or(u64::MAX)
    }
}

/// A rule that chooses among candidates. Its `Debug` form must tell its parameters: it is part of
/// a run's identity.
pub trait Selector: Debug + Send + Sync {
    /// The selector's name.
    fn name(&self) -> &str;

    /// The chosen candidates, best first: at most one for each claim, none
    /// with a score that is not a number, together never above the cost left.
    ///
    /// # Errors
    /// [`CoreError::Solver`] where an optimisation fails.
    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError>;
}

/// The candidates that are worth something and fit alone, the most valuable first; equal ones
/// keep their order.
pub fn most_valuable(mut candidates: Vec<Candidate>, room: &Room) -> Vec<Candidate> {
    candidates.retain(|candidate| {
        let value = candidate.value();
        value.is_finite() && value > 0.0 && candidate.price <= room.most()
    });
    candidates.sort_by(|a, b| b.value().total_cmp(&a.value()));
    candidates
}

/// Those of `candidates`, in their order, that still fit, one for each claim.
pub fn within(candidates: impl IntoIterator<Item = Candidate>, room: &Room) -> Vec<Candidate> {
    let mut left = room.most();
    let mut taken: HashSet<Claim> = HashSet::new();
    let fits = |candidate: &Candidate| {
        let claims = candidate.growth.claims();
        let fits = candidate.price <= left && !claims.iter().any(|claim| taken.contains(claim));
        if fits {
            left -= candidate.price;
            taken.extend(claims);
        }
        fits
    };
    candidates.into_iter().filter(fits).collect()
}

/// The best `count` of `candidates` by score that fit; equal scores keep their order.
pub fn best(mut candidates: Vec<Candidate>, count: usize, room: &Room) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.score.is_finite());
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut chosen = within(candidates, room);
    chosen.truncate(count);
    chosen
}

/// A share of `count`, rounded up.
fn share_of(share: f64, count: usize) -> usize {
    // The small subtraction keeps 0.1 · 30 at 3 and not, by rounding, at 4.
    (share * count as f64 - 1e-9).ceil().max(0.0) as usize
}

/// Checks a share of neurons or candidates.
fn check_share(name: &'static str, share: f64) -> Result<f64, CoreError> {
    if share > 0.0 && share <= 1.0 {
        return Ok(share);
    }
    out_of_range(name, share, "above 0 and at most 1")
}

fn out_of_range<T>(
    name: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<T, CoreError> {
    Err(CoreError::Parameter {
        name,
        value: value.to_string(),
        expected,
    })
}
