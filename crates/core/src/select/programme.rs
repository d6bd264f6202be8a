//! Choices as linear and integer programmes.

use std::collections::BTreeMap;

use good_lp::variable::VariableDefinition;
use good_lp::{Expression, ProblemVariables, Solution, SolverModel, Variable, microlp};

use super::Room;
use crate::candidate::Candidate;
use crate::error::CoreError;
use crate::growth::Claim;

/// `max Σ β_j value_j` with `Σ β_j price_j` within the room, `Σ β_j ≤ cap` over the members of
/// each of `caps`, and at most one candidate for a claim; each β as `definition` has it.
pub(super) fn programme(
    candidates: &[Candidate],
    room: &Room,
    caps: &[(Vec<usize>, f64)],
    definition: VariableDefinition,
) -> Result<Vec<f64>, CoreError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    // Of the order of 1, whatever the units are.
    let value_scale = candidates.iter().map(Candidate::value).fold(0.0, f64::max);
    let price_scale = candidates.iter().map(|c| c.price).max().unwrap_or(1).max(1) as f64;
    let mut variables = ProblemVariables::new();
    let shares: Vec<Variable> = candidates
        .iter()
        .map(|_| variables.add(definition.clone()))
        .collect();
    let pairs = || shares.iter().zip(candidates);
    let objective: Expression = pairs()
        .map(|(share, candidate)| *share * (candidate.value() / value_scale))
        .sum();
    let spent: Expression = pairs()
        .map(|(share, candidate)| *share * (candidate.price as f64 / price_scale))
        .sum();
    let mut model = variables.maximise(objective).using(microlp);
    model = model.with(spent.leq(room.most() as f64 / price_scale));
    let of = |members: &[usize]| -> Expression { members.iter().map(|i| shares[*i]).sum() };
    for (members, cap) in caps {
        model = model.with(of(members).leq(*cap));
    }
    let mut claims: BTreeMap<Claim, Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        for claim in candidate.growth.claims() {
            claims.entry(claim).or_default().push(index);
        }
    }
    let mut several: Vec<Vec<usize>> = claims.into_values().filter(|all| all.len() > 1).collect();
    several.sort_unstable();
    for members in several {
        model = model.with(of(&members).leq(1.0));
    }
    let solution = model.solve().map_err(|error| CoreError::Solver {
        candidates: candidates.len(),
        reason: error.to_string(),
    })?;
    Ok(shares.iter().map(|share| solution.value(*share)).collect())
}
