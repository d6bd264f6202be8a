//! New neurons that would never learn.

use std::collections::HashSet;

use super::Candidate;
use crate::error::CoreError;
use crate::gradient::GradientRequest;
use crate::landscape::Landscape;
use crate::plan::Plan;

/// The sites at which the first of `candidates`, whose fan-in is zero, has no gradient: behind an
/// activation without a slope at 0.
pub(super) fn dead_starts(
    landscape: &dyn Landscape,
    candidates: &[Candidate],
) -> Result<Vec<String>, CoreError> {
    let mut seen = HashSet::new();
    let first = candidates.iter();
    let first = first.filter(|candidate| seen.insert(candidate.growth.site()));
    let plan = Plan::new("dead start", first.cloned().collect());
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    let found = landscape.gradient(&plan, &GradientRequest::default())?;
    let pairs = plan.growths().zip(&found.growths);
    let dead = pairs.filter(|(_, gradient)| gradient.fan_in.iter().flatten().all(|g| *g == 0.0));
    Ok(dead.map(|(growth, _)| growth.site().to_owned()).collect())
}
