//! The exact choice under a budget.

use good_lp::variable;

use super::programme::programme;
use super::{Room, Selector, most_valuable, within};
use crate::candidate::Candidate;
use crate::error::CoreError;

/// The 0/1 knapsack: the candidates whose gains sum to the most under the budget, exactly
/// (arXiv 1910.03103's choice without its relaxation). Without a budget, all that gain.
///
/// Values are the candidates' gains, and scores where a criterion predicts no gain, so that a
/// scheme with more copies competes by what it gains and what it costs. Solved by branch and bound
/// on integer programmes, which may take long for thousands of candidates of nearly
/// equal worth; [`LinearProgramme`](super::LinearProgramme) does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Knapsack;

impl Selector for Knapsack {
    fn name(&self) -> &str {
        "knapsack"
    }

    fn select(&self, candidates: Vec<Candidate>, room: &Room) -> Result<Vec<Candidate>, CoreError> {
        let candidates = most_valuable(candidates, room);
        if room.cost.is_none() {
            return Ok(within(candidates, room));
        }
        let shares = programme(&candidates, room, &[], variable().binary())?;
        let chosen = candidates.into_iter().zip(shares);
        let chosen = chosen.filter(|(_, share)| *share > 0.5);
        // The solver counts in f64, the budget does not.
        Ok(within(chosen.map(|(candidate, _)| candidate), room))
    }
}
