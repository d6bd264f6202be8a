//! The relaxed choice under a budget.

use std::collections::BTreeMap;

use good_lp::variable;

use super::{Budget, Selector, most_valuable, out_of_range, programme, within};
use crate::criterion::Candidate;
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
        if !(threshold > 0.0 && threshold <= 1.0) {
            return out_of_range("threshold of β", threshold, "above 0 and at most 1");
        }
        self.threshold = threshold;
        Ok(self)
    }

    /// At most this share of the candidates of a site, rounded up.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < share ≤ 1`.
    pub fn with_site_share(mut self, share: f64) -> Result<Self, CoreError> {
        if !(share > 0.0 && share <= 1.0) {
            return out_of_range("share of a site", share, "above 0 and at most 1");
        }
        self.site_share = share;
        Ok(self)
    }
}

impl Selector for LinearProgramme {
    fn name(&self) -> &'static str {
        "linear-programme"
    }

    fn select(
        &self,
        candidates: Vec<Candidate>,
        budget: Budget,
    ) -> Result<Vec<Candidate>, CoreError> {
        let candidates = most_valuable(candidates, budget);
        let mut sites: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            sites.entry(&candidate.site).or_default().push(index);
        }
        let caps: Vec<(Vec<usize>, f64)> = sites
            .into_values()
            .map(|members| {
                let cap = (self.site_share * members.len() as f64 - 1e-9).ceil();
                (members, cap)
            })
            .collect();
        let room = budget.room.unwrap_or(u64::MAX);
        let shares = programme(&candidates, room, &caps, variable().min(0.0).max(1.0))?;
        let chosen = candidates.into_iter().zip(shares);
        let chosen = chosen.filter(|(_, share)| *share >= self.threshold);
        Ok(within(chosen.map(|(candidate, _)| candidate), budget))
    }
}
