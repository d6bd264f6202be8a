//! Random signed splitting.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Candidate, Context, Criterion, unit_vector};
use crate::error::CoreError;
use crate::landscape::{Landscape, Needs};
use crate::scheme::{Scheme, WeightBound};

/// Random neurons, split by a random scheme of signed splitting along random orthogonal
/// directions: the baseline of [`SignedSteepestDescent`](super::SignedSteepestDescent).
#[derive(Debug, Clone, Copy)]
pub struct RandomSignedSplit {
    bound: WeightBound,
}

impl RandomSignedSplit {
    /// Random signed splitting with the bound c.
    pub fn new(bound: WeightBound) -> Self {
        Self { bound }
    }
}

impl Criterion for RandomSignedSplit {
    fn name(&self) -> &str {
        "random-signed"
    }

    fn needs(&self) -> Needs {
        Needs::SHAPES
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let rng = &mut context.rng;
        let mut candidates = Vec::new();
        for site in landscape.sites() {
            for neuron in 0..site.neurons {
                let scheme = Scheme::DIRECTED[rng.random_range(0..Scheme::DIRECTED.len())];
                let [min, max] = orthogonal_pair(site.dim, rng);
                let offspring = scheme.offspring(&min, &max, self.bound);
                let candidate = Candidate::split(site, neuron, scheme, offspring);
                candidates.push(candidate.with_score(rng.random()));
            }
        }
        Ok(candidates)
    }
}

/// Two orthogonal unit vectors; in one dimension, the same vector twice.
fn orthogonal_pair(dim: usize, rng: &mut ChaCha8Rng) -> [Vec<f64>; 2] {
    let first = unit_vector(dim, rng);
    if dim == 1 {
        return [first.clone(), first];
    }
    loop {
        let draw = unit_vector(dim, rng);
        let along: f64 = first.iter().zip(&draw).map(|(a, b)| a * b).sum();
        let rest: Vec<f64> = draw
            .iter()
            .zip(&first)
            .map(|(b, a)| b - along * a)
            .collect();
        let norm = rest.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > 1e-6 {
            return [first, rest.into_iter().map(|value| value / norm).collect()];
        }
    }
}
