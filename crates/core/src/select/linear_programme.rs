//! The relaxed choice under a budget.

use std::collections::BTreeMap;

use good_lp::variable;

use super::programme::programme;
use super::{Room, Selector, check_share, most_valuable, share_of, within};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// The linear programme of arXiv 1910.03103: `min Σ β_j λ_j` with `Σ β_j e_j ≤ budget`,
/// `0 ≤ β_j ≤ 1`, and at most a share of the neurons of each site; candidates with
/// `β ≥ threshold` are taken, as far as they fit.
///
/// The programme has at most one fractional β for each of its constraints, so little of the
/// budget is lost. Values are gains, and scores where a criterion predicts none.
#[derive(Debug, Clone, Copy)]
pub struct LinearProgramme {
    threshold: f64,
    site_share: f64,
}

impl Default for LinearProgramme {
    /// β from 0.9 on, no cap on a site.
    fn default() -> Self {
        Self {
            threshold: 0.9,
            site_share: 1.0,
        }
    }
}

impl LinearProgramme {
    /// Takes candidates from this β on (0.9 to 0.99 in the paper's code).
    ///
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < threshold ≤ 1`.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, CoreError> {
        self.threshold = check_share("threshold of β", threshold)?;
        Ok(self)
    }

    /// At most this share of the candidates of a site, rounded up.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < share ≤ 1`.
    pub fn with_site_share(mut self, share: f64) -> Result<Self, CoreError> {
        self.site_share = check_share("share of a site", share)?;
        Ok(self)
    }
}

impl Selector for LinearProgramme {
    fn name(&self) -> &str {
        "linear-programme"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        let candidates = most_valuable(candidates, room);
        let mut sites: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            sites
                .entry(candidate.growth.site())
                .or_default()
                .push(index);
        }
        let caps: Vec<(Vec<usize>, f64)> = sites
            .into_values()
            .map(|members| {
                let cap = share_of(self.site_share, members.len());
                (members, cap as f64)
            })
            .collect();
        let shares = programme(&candidates, room, &caps, variable().min(0.0).max(1.0))?;
        let chosen = candidates.into_iter().zip(shares);
        let chosen = chosen.filter(|(_, share)| *share >= self.threshold);
        Ok(within(chosen.map(|(candidate, _)| candidate), room))
    }
}
