//! All layers by a common factor.

use std::collections::BTreeMap;

use super::{Room, Selector, check_share, share_of, within};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// Every site grows by the same factor: a share of its own neurons, rounded up. The criterion says
/// which neurons, not which layers. Where there is no room for all, what puts a site least ahead
/// comes first, and a site stays behind only where its next neuron does not fit.
#[derive(Debug, Clone, Copy)]
pub struct PerLayer {
    share: f64,
}

impl PerLayer {
    /// Every site doubles.
    pub const DOUBLE: Self = Self { share: 1.0 };

    /// Sites become `1 + share` times as wide.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] unless `0 < share ≤ 1`.
    pub fn new(share: f64) -> Result<Self, CoreError> {
        let share = check_share("share of a layer's neurons", share)?;
        Ok(Self { share })
    }
}

impl Selector for PerLayer {
    fn name(&self) -> &str {
        "per-layer"
    }

    fn select(
        &self,
        mut candidates: Vec<Candidate>,
        room: &Room,
    ) -> Result<Vec<Candidate>, CoreError> {
        candidates.retain(|candidate| candidate.score.is_finite());
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        // Each candidate with the factor by which its site has grown once it is taken.
        let mut added: BTreeMap<String, isize> = BTreeMap::new();
        let mut ranked = Vec::with_capacity(candidates.len());
        // One claim is counted once, or a site would stop short.
        for candidate in within(candidates, &Room::default()) {
            let site = candidate.growth.site();
            let width = room.widths.iter().find(|(name, _)| name == site);
            let Some((_, width)) = width else { continue };
            let count = added.entry(site.to_owned()).or_default();
            let target = share_of(self.share, *width).cast_signed();
            let after = *count + candidate.growth.channels_added();
            if after > target {
                continue;
            }
            *count = after;
            ranked.push((after as f64 / (*width).max(1) as f64, candidate));
        }
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(within(
            ranked.into_iter().map(|(_, candidate)| candidate),
            room,
        ))
    }
}
