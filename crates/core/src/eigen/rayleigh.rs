//! Rayleigh-quotient descent, as the fast-splitting paper has it (arXiv 1910.03103).
//!
//! `R(v) = vᵀ S v / vᵀ v` is minimised (and maximised, for the other end) by stochastic
//! gradient over the batches of the operator, all neurons of all sites at once:
//! `∇R = 2 (S v · vᵀv − v · vᵀ S v)/(vᵀv)²`, RMSprop with momentum, and `v ← v/‖v‖`.

use burn::tensor::DType;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::operator::{Directions, SiteShape, SplittingOperator, apply};
use crate::error::CoreError;
use crate::spectrum::{Method, SiteSpectra, Spectrum, verified_pair};

/// The settings of Rayleigh-quotient descent; the default is the authors' for CIFAR.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RayleighDescent {
    /// Passes over all batches.
    pub passes: usize,
    /// Learning rate of the first passes.
    pub learning_rate: f64,
    /// What the learning rate is multiplied with…
    pub decay: f64,
    /// …every so many passes.
    pub decay_passes: usize,
    /// Momentum.
    pub momentum: f64,
    /// How much of the mean square of gradients is kept at each step.
    pub smoothing: f64,
}

impl Default for RayleighDescent {
    fn default() -> Self {
        Self {
            passes: 10,
            learning_rate: 1e-3,
            decay: 0.2,
            decay_passes: 2,
            momentum: 0.9,
            smoothing: 0.9,
        }
    }
}

/// One end of one site's spectra under descent.
struct Descent {
    /// −1 turns the largest eigenvalue into the smallest.
    sign: f64,
    v: DMatrix<f64>,
    mean_square: DMatrix<f64>,
    velocity: DMatrix<f64>,
}

impl Descent {
    fn new(shape: &SiteShape, sign: f64, rng: &mut ChaCha8Rng) -> Self {
        let zeros = DMatrix::zeros(shape.dim, shape.neurons);
        let mut v = zeros.map(|_: f64| rng.random_range(-0.1..0.1));
        normalise(&mut v);
        Self {
            sign,
            v,
            mean_square: zeros.clone(),
            velocity: zeros,
        }
    }

    /// One step from the products `S v` of a batch. RMSprop divides out the scale of S, so
    /// a batch's share of it does not matter.
    fn step(&mut self, product: &DMatrix<f64>, rate: f64, settings: &RayleighDescent) {
        for j in 0..self.v.ncols() {
            let v = self.v.column(j);
            let quotient = v.dot(&product.column(j));
            let gradient = (product.column(j) - v * quotient) * (2.0 * self.sign);
            for (i, g) in gradient.iter().enumerate() {
                let square = &mut self.mean_square[(i, j)];
                *square = settings.smoothing * *square + (1.0 - settings.smoothing) * g * g;
                let step = if *square > 0.0 {
                    g / square.sqrt()
                } else {
                    0.0
                };
                let velocity = &mut self.velocity[(i, j)];
                *velocity = settings.momentum * *velocity + step;
            }
        }
        self.v -= &self.velocity * rate;
        normalise(&mut self.v);
    }
}

fn normalise(v: &mut DMatrix<f64>) {
    for mut column in v.column_iter_mut() {
        let norm = column.norm();
        if norm > 0.0 {
            column /= norm;
        } else {
            column[0] = 1.0;
        }
    }
}

/// The spectra of all sites for which `wanted` holds; the pass of verification counts among
/// their iterations.
pub(super) fn rayleigh_spectra(
    operator: &(impl SplittingOperator + ?Sized),
    wanted: &[bool],
    settings: &RayleighDescent,
    dtype: DType,
    exact: DType,
) -> Result<Vec<Option<SiteSpectra>>, CoreError> {
    let mut rng = ChaCha8Rng::seed_from_u64(0x5EED);
    let shapes = operator.sites();
    let mut sites: Vec<Option<[Descent; 2]>> = shapes
        .iter()
        .zip(wanted)
        .map(|(shape, wanted)| {
            wanted.then(|| [1.0, -1.0].map(|sign| Descent::new(shape, sign, &mut rng)))
        })
        .collect();
    let ask = |sites: &[Option<[Descent; 2]>], dtype| -> Vec<Directions> {
        let ask = |site: &Option<[Descent; 2]>| Directions {
            vectors: site.iter().flatten().map(|end| end.v.clone()).collect(),
            dtype,
        };
        sites.iter().map(ask).collect()
    };
    for pass in 0..settings.passes {
        let decays = i32::try_from(pass / settings.decay_passes.max(1)).unwrap_or(i32::MAX);
        let rate = settings.learning_rate * settings.decay.powi(decays);
        for batch in 0..operator.batches() {
            let products = operator.apply_batch(batch, &ask(&sites, dtype))?;
            for (site, products) in sites.iter_mut().zip(products) {
                for (end, product) in site.iter_mut().flatten().zip(products) {
                    end.step(&product, rate, settings);
                }
            }
        }
    }
    let products = apply(operator, &ask(&sites, exact))?;
    let spectra = sites.into_iter().zip(products).map(|(site, products)| {
        let pair = |end: usize, j: usize, v: &DMatrix<f64>| {
            verified_pair(
                v.column(j).into_owned(),
                &products[end].column(j).into_owned(),
            )
        };
        site.map(|[low, high]| SiteSpectra {
            spectra: (0..low.v.ncols())
                .map(|j| Spectrum::ordered(pair(0, j, &low.v), pair(1, j, &high.v)))
                .collect(),
            method: Method::Rayleigh,
            iterations: settings.passes + 1,
            // Two ends, each with a mean square and a velocity.
            bytes: 6 * low.v.len() * size_of::<f64>(),
        })
    });
    Ok(spectra.collect())
}

#[cfg(test)]
mod tests;
