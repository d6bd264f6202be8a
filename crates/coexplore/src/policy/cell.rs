//! A recurrent cell that makes decisions one after the other.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// An LSTM with an embedding for each choice and a softmax for each decision. Before the first
/// decision it reads a start vector, before every other one the choice made last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    decisions: Vec<usize>,
    hidden: usize,
    /// Start vector, embeddings, weights `[4h, 2h]` (on the input and on the state) with biases,
    /// and for each decision its weights `[choices, h]` with biases.
    pub values: Vec<f64>,
}

/// State that is passed on: h and c.
pub(super) type State = (Vec<f64>, Vec<f64>);

/// What one decision was.
#[derive(Debug, Clone)]
pub(super) struct Step {
    input: usize,
    before: State,
    /// Input, forget and output gates, and what is let in: `[4h]`.
    gates: Vec<f64>,
    after: State,
    pub probabilities: Vec<f64>,
    pub choice: usize,
}

impl Cell {
    /// A cell of `hidden` units, which at first makes every choice with the same probability.
    pub fn new(decisions: Vec<usize>, hidden: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut cell = Self {
            decisions,
            hidden,
            values: Vec::new(),
        };
        let embeddings = cell.weights_at();
        let weights = cell.head_at(0);
        let all = cell.head_at(cell.decisions.len());
        let bound = 1.0 / (hidden.max(1) as f64).sqrt();
        let mut draw = |from: f64| rng.random_range(-from..from);
        cell.values = (0..all)
            .map(|at| match at {
                at if at < embeddings => draw(1.0),
                at if at < weights => draw(bound),
                _ => 0.0,
            })
            .collect();
        cell
    }

    pub fn decisions(&self) -> &[usize] {
        &self.decisions
    }

    /// Nothing decided yet.
    pub fn blank(&self) -> State {
        (vec![0.0; self.hidden], vec![0.0; self.hidden])
    }

    fn weights_at(&self) -> usize {
        (1 + self.decisions.iter().sum::<usize>()) * self.hidden
    }

    fn head_at(&self, decision: usize) -> usize {
        let gates = 4 * self.hidden * (2 * self.hidden + 1);
        let before: usize = self.decisions[..decision].iter().sum();
        self.weights_at() + gates + before * (self.hidden + 1)
    }

    /// Where the vector lies that is read before `decision`.
    fn input_at(&self, decision: usize, last: usize) -> usize {
        match decision.checked_sub(1) {
            None => 0,
            Some(decision) => {
                let before: usize = self.decisions[..decision].iter().sum();
                (1 + before + last) * self.hidden
            }
        }
    }

    /// All its decisions from `state`, each by `choose` of its number and probabilities.
    pub fn run(
        &self,
        mut state: State,
        choose: &mut dyn FnMut(usize, &[f64]) -> usize,
    ) -> (Vec<Step>, State) {
        let h = self.hidden;
        let mut steps: Vec<Step> = Vec::with_capacity(self.decisions.len());
        for (decision, count) in self.decisions.iter().enumerate() {
            let last = steps.last().map_or(0, |step| step.choice);
            let input = self.input_at(decision, last);
            let read = &self.values[input..input + h];
            let weights = &self.values[self.weights_at()..];
            let biases = &weights[4 * h * 2 * h..];
            let gates: Vec<f64> = (0..4 * h)
                .map(|gate| {
                    let row = &weights[gate * 2 * h..(gate + 1) * 2 * h];
                    let sum = biases[gate] + dot(&row[..h], read) + dot(&row[h..], &state.0);
                    match gate < 3 * h {
                        true => 1.0 / (1.0 + (-sum).exp()),
                        false => sum.tanh(),
                    }
                })
                .collect();
            let cells: Vec<f64> = (0..h)
                .map(|unit| gates[h + unit] * state.1[unit] + gates[unit] * gates[3 * h + unit])
                .collect();
            let outputs = (0..h)
                .map(|unit| gates[2 * h + unit] * cells[unit].tanh())
                .collect();
            let after: State = (outputs, cells);
            let head = &self.values[self.head_at(decision)..];
            let logits = (0..*count).map(|choice| {
                head[count * h + choice] + dot(&head[choice * h..(choice + 1) * h], &after.0)
            });
            let probabilities = softmax(logits.collect());
            let choice = choose(decision, &probabilities);
            steps.push(Step {
                input,
                before: std::mem::replace(&mut state, after.clone()),
                gates,
                after,
                probabilities,
                choice,
            });
        }
        (steps, state)
    }

    /// Adds to `gradient` that of `weight·Σ log π(choice) + entropy·Σ H(π)` over `steps`, with
    /// `above` the gradient in the state after them; returns the one in the state before them.
    pub fn backward(
        &self,
        steps: &[Step],
        [weight, entropy]: [f64; 2],
        above: State,
        gradient: &mut [f64],
    ) -> State {
        let h = self.hidden;
        let (mut d_output, mut d_cell) = above;
        for (decision, step) in steps.iter().enumerate().rev() {
            let head = self.head_at(decision);
            let count = step.probabilities.len();
            let plogp = |p: &f64| if *p > 0.0 { p * p.ln() } else { 0.0 };
            let disorder: f64 = -step.probabilities.iter().map(plogp).sum::<f64>();
            for (choice, p) in step.probabilities.iter().enumerate() {
                let chosen = f64::from(u8::from(choice == step.choice));
                let d_logit = weight * (chosen - p) - entropy * (plogp(p) + p * disorder);
                gradient[head + count * h + choice] += d_logit;
                for (unit, d_output) in d_output.iter_mut().enumerate() {
                    let at = head + choice * h + unit;
                    gradient[at] += d_logit * step.after.0[unit];
                    *d_output += d_logit * self.values[at];
                }
            }
            let mut d_sums = vec![0.0; 4 * h];
            for unit in 0..h {
                let gate = |kind: usize| step.gates[kind * h + unit];
                let [input, forget, output, new] = [0, 1, 2, 3].map(gate);
                let squashed = step.after.1[unit].tanh();
                let through = d_cell[unit] + d_output[unit] * output * (1.0 - squashed * squashed);
                d_sums[unit] = through * new * input * (1.0 - input);
                d_sums[h + unit] = through * step.before.1[unit] * forget * (1.0 - forget);
                d_sums[2 * h + unit] = d_output[unit] * squashed * output * (1.0 - output);
                d_sums[3 * h + unit] = through * input * (1.0 - new * new);
                d_cell[unit] = through * forget;
            }
            let weights = self.weights_at();
            d_output = vec![0.0; h];
            for (gate, d_sum) in d_sums.iter().enumerate() {
                gradient[weights + 8 * h * h + gate] += d_sum;
                let row = weights + gate * 2 * h;
                for (unit, d_output) in d_output.iter_mut().enumerate() {
                    gradient[row + unit] += d_sum * self.values[step.input + unit];
                    gradient[row + h + unit] += d_sum * step.before.0[unit];
                    gradient[step.input + unit] += d_sum * self.values[row + unit];
                    *d_output += d_sum * self.values[row + h + unit];
                }
            }
        }
        (d_output, d_cell)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(mut logits: Vec<f64>) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for logit in &mut logits {
        *logit = (*logit - most).exp();
    }
    let sum: f64 = logits.iter().sum();
    for part in &mut logits {
        *part /= sum;
    }
    logits
}
