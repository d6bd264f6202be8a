//! Chance.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::problem::Problem;

/// Every child as likely as every other; children may come again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomPolicy {
    decisions: Vec<usize>,
}

impl RandomPolicy {
    /// In the space of `problem`.
    pub fn new(problem: &dyn Problem) -> Self {
        Self {
            decisions: problem.stages().concat(),
        }
    }
}

/// One child of a space, by chance.
pub(super) fn any_child(decisions: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let choices = decisions
        .iter()
        .map(|count| rng.random_range(0..(*count).max(1)));
    choices.collect()
}

impl Policy for RandomPolicy {
    fn propose(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        any_child(&self.decisions, rng)
    }

    fn learn(&mut self, _child: &[usize], _reward: f64) {}
}
