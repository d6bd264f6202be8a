//! A controller that learns by REINFORCE.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::Policy;
use super::cell::{Cell, Step};
use crate::error::CoexploreError;
use crate::problem::{Problem, check_child};

/// Settings of a [`Controller`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControllerConfig {
    /// Units of each cell, and numbers of an embedding.
    pub hidden: usize,
    /// Learning rate of Adam (β₁ 0.9, β₂ 0.999).
    pub learning_rate: f64,
    /// How much of the baseline stays when a reward comes in.
    pub baseline: f64,
    /// Weight of the policy's entropy beside the reward. 0 is plain REINFORCE.
    pub entropy: f64,
}

impl Default for ControllerConfig {
    /// 35 units and Adam at 0.01, as the code around the published method has them; its baseline is
    /// a mean with exponential weights, of which this is the running form. No entropy.
    fn default() -> Self {
        Self {
            hidden: 35,
            learning_rate: 0.01,
            baseline: 0.95,
            entropy: 0.0,
        }
    }
}

impl ControllerConfig {
    fn check(&self) -> Result<(), CoexploreError> {
        if self.hidden == 0 {
            return CoexploreError::parameter("hidden", self.hidden, "at least 1");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return CoexploreError::parameter("learning rate", self.learning_rate, "above 0");
        }
        if !(0.0..1.0).contains(&self.baseline) {
            return CoexploreError::parameter("baseline", self.baseline, "from 0 to below 1");
        }
        if !(self.entropy.is_finite() && self.entropy >= 0.0) {
            return CoexploreError::parameter("entropy", self.entropy, "0 or above");
        }
        Ok(())
    }
}

/// A chain of recurrent cells, one for each stage of a pipeline. Each makes the decisions of its
/// stage by itself on the fast level; on the slow one they are one policy, in which every cell goes
/// on from the state that the one before it ended with (B. Zoph and Q. Le, arXiv 1611.01578, for
/// the cell; the chain as arXiv 1907.04650's code describes it).
///
/// It ascends `(R − b)·∇ log π(child)` (R. Williams, 1992), with b a running mean of rewards: one
/// for the whole, and one for each stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controller {
    config: ControllerConfig,
    cells: Vec<Cell>,
    optimizers: Vec<Adam>,
    baseline: Option<f64>,
    stage_baselines: Vec<Option<f64>>,
}

impl Controller {
    /// For the stages of `problem`; its weights are drawn by `seed`.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for settings out of range or a decision without a choice.
    pub fn new(
        problem: &dyn Problem,
        config: ControllerConfig,
        seed: u64,
    ) -> Result<Self, CoexploreError> {
        config.check()?;
        let stages = problem.stages();
        if stages.is_empty() || stages.concat().contains(&0) {
            return CoexploreError::parameter("decision", 0, "at least one choice for each");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let cells: Vec<Cell> = stages
            .into_iter()
            .map(|decisions| Cell::new(decisions, config.hidden, &mut rng))
            .collect();
        Ok(Self {
            config,
            optimizers: cells
                .iter()
                .map(|cell| Adam::new(cell.values.len()))
                .collect(),
            baseline: None,
            stage_baselines: vec![None; cells.len()],
            cells,
        })
    }

    /// The probability of `child` under the whole policy.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    pub fn probability(&self, child: &[usize]) -> Result<f64, CoexploreError> {
        let steps = self.replay(child)?;
        let steps = steps.iter().flatten();
        Ok(steps.map(|step| step.probabilities[step.choice]).product())
    }

    /// The gradient of `weight·log π(child) + entropy·H` in all parameters of all cells, where H
    /// sums the entropies of the decisions on the way to `child`.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    pub fn gradient(
        &self,
        child: &[usize],
        weight: f64,
        entropy: f64,
    ) -> Result<Vec<f64>, CoexploreError> {
        let steps = self.replay(child)?;
        Ok(self.chain_gradient(&steps, [weight, entropy]).concat())
    }

    /// All parameters of all cells.
    pub fn parameters(&self) -> Vec<f64> {
        self.cells
            .iter()
            .flat_map(|cell| cell.values.clone())
            .collect()
    }

    /// With other parameters.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for another number of them.
    pub fn with_parameters(mut self, parameters: &[f64]) -> Result<Self, CoexploreError> {
        let expected: usize = self.cells.iter().map(|cell| cell.values.len()).sum();
        if parameters.len() != expected {
            let found = parameters.len();
            return CoexploreError::parameter("parameters", found, "as many as there are");
        }
        let mut rest = parameters;
        for cell in &mut self.cells {
            let (own, others) = rest.split_at(cell.values.len());
            cell.values.copy_from_slice(own);
            rest = others;
        }
        Ok(self)
    }

    /// The chain with `child`'s choices.
    fn replay(&self, child: &[usize]) -> Result<Vec<Vec<Step>>, CoexploreError> {
        let decisions: Vec<usize> = self
            .cells
            .iter()
            .flat_map(|cell| cell.decisions().to_vec())
            .collect();
        check_child(child, &decisions)?;
        Ok(self.chain(&mut |at, _| child[at]))
    }

    /// All cells, one after the other; `choose` gets the number of a decision among all.
    fn chain(&self, choose: &mut dyn FnMut(usize, &[f64]) -> usize) -> Vec<Vec<Step>> {
        let (mut all, mut before) = (Vec::with_capacity(self.cells.len()), 0);
        let mut state = self.cells.first().map(Cell::blank).unwrap_or_default();
        for cell in &self.cells {
            let (steps, after) = cell.run(state, &mut |at, p| choose(before + at, p));
            before += steps.len();
            state = after;
            all.push(steps);
        }
        all
    }

    /// The gradient of each cell, through the states between them.
    fn chain_gradient(&self, steps: &[Vec<Step>], weights: [f64; 2]) -> Vec<Vec<f64>> {
        let mut above = self.cells.first().map(Cell::blank).unwrap_or_default();
        let mut gradients = Vec::with_capacity(self.cells.len());
        for (cell, steps) in self.cells.iter().zip(steps).rev() {
            let mut gradient = vec![0.0; cell.values.len()];
            above = cell.backward(steps, weights, above, &mut gradient);
            gradients.push(gradient);
        }
        gradients.reverse();
        gradients
    }

    fn ascend(&mut self, cell: usize, gradient: &[f64]) {
        let rate = self.config.learning_rate;
        self.optimizers[cell].ascend(&mut self.cells[cell].values, gradient, rate);
    }
}

/// Takes `reward` into a running mean; what it is above the mean before.
fn advantage(baseline: &mut Option<f64>, keep: f64, reward: f64) -> f64 {
    let before = baseline.unwrap_or(reward);
    *baseline = Some(keep * before + (1.0 - keep) * reward);
    reward - before
}

/// Draws a choice.
fn draw(probabilities: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let mut left: f64 = rng.random();
    for (choice, p) in probabilities.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return choice;
        }
    }
    // Rounding may leave a rest.
    probabilities.len() - 1
}

impl Policy for Controller {
    fn propose(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let steps = self.chain(&mut |_, p| draw(p, rng));
        steps.iter().flatten().map(|step| step.choice).collect()
    }

    fn learn(&mut self, child: &[usize], reward: f64) {
        let Ok(steps) = self.replay(child) else {
            return;
        };
        let advantage = advantage(&mut self.baseline, self.config.baseline, reward);
        let gradients = self.chain_gradient(&steps, [advantage, self.config.entropy]);
        for (cell, gradient) in gradients.iter().enumerate() {
            self.ascend(cell, gradient);
        }
    }

    fn propose_stages(&mut self, rng: &mut ChaCha8Rng) -> Option<Vec<usize>> {
        let own = self.cells.iter().flat_map(|cell| {
            let (steps, _) = cell.run(cell.blank(), &mut |_, p| draw(p, rng));
            steps.into_iter().map(|step| step.choice)
        });
        Some(own.collect())
    }

    fn learn_stages(&mut self, child: &[usize], rewards: &[f64]) {
        let mut rest = child;
        for (number, reward) in rewards.iter().enumerate().take(self.cells.len()) {
            let cell = &self.cells[number];
            let Some((own, others)) = rest.split_at_checked(cell.decisions().len()) else {
                return;
            };
            rest = others;
            let keep = self.config.baseline;
            let advantage = advantage(&mut self.stage_baselines[number], keep, *reward);
            let (steps, _) = cell.run(cell.blank(), &mut |at, _| own[at]);
            let mut gradient = vec![0.0; cell.values.len()];
            let weights = [advantage, self.config.entropy];
            cell.backward(&steps, weights, cell.blank(), &mut gradient);
            self.ascend(number, &gradient);
        }
    }
}

/// Adam (arXiv 1412.6980), upwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Adam {
    steps: i32,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Adam {
    fn new(count: usize) -> Self {
        Self {
            steps: 0,
            means: vec![0.0; count],
            squares: vec![0.0; count],
        }
    }

    fn ascend(&mut self, values: &mut [f64], gradient: &[f64], rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let [first, second] = [0.9_f64, 0.999].map(|beta| 1.0 - beta.powi(self.steps));
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((value, slope), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean = 0.9 * *mean + 0.1 * slope;
            *square = 0.999 * *square + 0.001 * slope * slope;
            *value += rate * (*mean / first) / ((*square / second).sqrt() + 1e-8);
        }
    }
}
