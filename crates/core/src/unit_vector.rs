//! Random directions.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A direction drawn uniformly from the unit sphere.
pub fn unit_vector(dim: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    loop {
        let draw: Vec<f64> = (0..dim).map(|_| StandardNormal.sample(rng)).collect();
        let norm = draw.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > 1e-12 {
            return draw.into_iter().map(|value| value / norm).collect();
        }
    }
}
