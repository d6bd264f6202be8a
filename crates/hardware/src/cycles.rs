//! Cycles, and what bounds them.

use serde::{Deserialize, Serialize};

/// What an engine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// Multiplications.
    Compute,
    /// Inputs that are loaded.
    Inputs,
    /// Weights that are loaded.
    Weights,
    /// Outputs that are stored.
    Outputs,
}

impl Bottleneck {
    /// All of them, as [`Cycles::terms`] has them.
    pub const ALL: [Self; 4] = [Self::Compute, Self::Inputs, Self::Weights, Self::Outputs];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Inputs => "inputs",
            Self::Weights => "weights",
            Self::Outputs => "outputs",
        }
    }
}

/// The cycles of a layer for one sample. Whole numbers, but for the published forms, which divide
/// words by ports without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cycles {
    /// From the first load to the last store, which counts as long as the longest one.
    pub total: f64,
    /// The part of it in which nothing is computed yet, or no more: first load and last store.
    pub fill: f64,
    /// What each of [`Bottleneck::ALL`] takes by itself, all tiles together.
    pub terms: [f64; 4],
    /// What bounds the most cycles.
    pub bottleneck: Bottleneck,
    /// Words moved over the ports.
    pub words: f64,
}

/// Tiles summed up to [`Cycles`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    steady: f64,
    terms: [f64; 4],
    bound: [f64; 4],
}

/// The cycles of one step of the innermost tile loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub compute: f64,
    pub inputs: f64,
    pub weights: f64,
}

impl Step {
    /// Loads and multiplications overlap.
    pub fn longest(self) -> f64 {
        self.compute.max(self.inputs).max(self.weights)
    }
}

impl Tally {
    /// `count` times `steps`, each so often, while one store of the tile before goes on beside
    /// them.
    pub fn add(&mut self, count: f64, steps: &[(Step, f64)], store: f64) {
        let work: f64 = steps
            .iter()
            .map(|(step, times)| times * step.longest())
            .sum();
        self.steady += count * work.max(store);
        for (step, times) in steps {
            let terms = [step.compute, step.inputs, step.weights];
            for (sum, term) in self.terms.iter_mut().zip(terms) {
                *sum += count * times * term;
            }
            let at = terms.iter().position(|term| *term == step.longest());
            if store < work {
                self.bound[at.unwrap_or(0)] += count * times * step.longest();
            }
        }
        self.terms[3] += count * store;
        if store >= work {
            self.bound[3] += count * store;
        }
    }

    /// All of it `times` over, with a first load and a last store of `fill` cycles together each time, and
    /// `words` moved.
    pub fn cycles(self, times: f64, fill: f64, words: f64) -> Cycles {
        let most = self.bound.iter().copied().fold(0.0, f64::max);
        let at = self.bound.iter().position(|bound| *bound == most);
        Cycles {
            total: times * (self.steady + fill),
            fill: times * fill,
            terms: self.terms.map(|term| times * term),
            bottleneck: Bottleneck::ALL[at.unwrap_or(0)],
            words: times * words,
        }
    }
}
