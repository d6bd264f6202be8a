//! Regularised evolution.

use std::collections::VecDeque;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Policy;
use super::random::any_child;
use crate::error::CoexploreError;
use crate::problem::Problem;

/// Regularised evolution (E. Real et al., arXiv 1802.01548): the best of a random sample of the
/// population is changed in one decision, the child comes in and the oldest goes out. Children that
/// do not meet the specification are not taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evolution {
    decisions: Vec<usize>,
    size: usize,
    sample: usize,
    population: VecDeque<(Vec<usize>, f64)>,
}

impl Evolution {
    /// A population of `size`, of which `sample` are drawn each time, in the space of `problem`.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] unless `0 < sample ≤ size`.
    pub fn new(problem: &dyn Problem, size: usize, sample: usize) -> Result<Self, CoexploreError> {
        if sample == 0 || sample > size {
            return CoexploreError::parameter("sample", sample, "from 1 to the population's size");
        }
        Ok(Self {
            decisions: problem.stages().concat(),
            size,
            sample,
            population: VecDeque::new(),
        })
    }
}

impl Policy for Evolution {
    fn propose(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let open = self
            .decisions
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 1);
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        if self.population.len() < self.size || open.is_empty() {
            return any_child(&self.decisions, rng);
        }
        let drawn: Vec<usize> = (0..self.sample)
            .map(|_| rng.random_range(0..self.population.len()))
            .collect();
        let rewards = |at: &usize| self.population[*at].1;
        let best = drawn
            .iter()
            .max_by(|a, b| rewards(a).total_cmp(&rewards(b)));
        let mut child = self.population[*best.unwrap_or(&0)].0.clone();
        let at = open[rng.random_range(0..open.len())];
        let other = rng.random_range(0..self.decisions[at] - 1);
        child[at] = other + usize::from(other >= child[at]);
        child
    }

    fn learn(&mut self, child: &[usize], reward: f64) {
        self.population.push_back((child.to_vec(), reward));
        if self.population.len() > self.size {
            self.population.pop_front();
        }
    }

    fn reject(&mut self, _child: &[usize], _reward: f64) {}
}
