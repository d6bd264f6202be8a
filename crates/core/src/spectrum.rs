//! Extremal eigenpairs of splitting matrices, how they are asked for and how they were found, as
//! plain data.

use std::fmt;
use std::str::FromStr;

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// An eigenvalue with its unit vector and the residual `‖S v − λ v‖`, which
/// bounds the distance from `value` to the nearest true eigenvalue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eigenpair {
    /// λ.
    pub value: f64,
    /// v, of norm 1; its entry of largest magnitude is positive.
    pub vector: Vec<f64>,
    /// `‖S v − λ v‖`, or a bound on it.
    pub residual: f64,
}

/// Both ends of a neuron's spectrum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The smallest eigenvalue's pair.
    pub min: Eigenpair,
    /// The largest eigenvalue's pair.
    pub max: Eigenpair,
}

impl Spectrum {
    /// The spectrum of two pairs, the smaller eigenvalue first.
    pub fn ordered(a: Eigenpair, b: Eigenpair) -> Self {
        let (min, max) = if b.value < a.value { (b, a) } else { (a, b) };
        Self { min, max }
    }
}

/// Turns `vector` so that its entry of largest magnitude is positive.
pub(crate) fn orient(vector: &mut DVector<f64>) {
    if vector[vector.icamax()] < 0.0 {
        vector.neg_mut();
    }
}

/// The pair of the unit `vector` and its Rayleigh quotient, from `product` = `S vector`.
pub fn verified_pair(mut vector: DVector<f64>, product: &DVector<f64>) -> Eigenpair {
    let value = vector.dot(product);
    let residual = (product - &vector * value).norm();
    orient(&mut vector);
    Eigenpair {
        value,
        vector: vector.as_slice().to_vec(),
        residual,
    }
}

/// A way to the spectra of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// [`Dense`](Self::Dense) or [`Krylov`](Self::Krylov), whichever costs less by an estimate
    /// of its operations, for each site.
    Auto,
    /// The matrices `[d, d]` written out and decomposed in full: `M·d²` memory.
    Dense,
    /// Lanczos on all neurons of a site together, without the matrices.
    Krylov,
    /// Stochastic descent on the Rayleigh quotient (arXiv 1910.03103).
    Rayleigh,
}

impl Method {
    const ALL: [Self; 4] = [Self::Auto, Self::Dense, Self::Krylov, Self::Rayleigh];

    /// The name, as [`Method::from_str`] reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dense => "dense",
            Self::Krylov => "krylov",
            Self::Rayleigh => "rayleigh",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = CoreError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| CoreError::Parameter {
            name: "method",
            value: name.to_owned(),
            expected: "one of auto, dense, krylov, rayleigh",
        })
    }
}

/// The spectra of one site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSpectra {
    /// One for each neuron.
    pub spectra: Vec<Spectrum>,
    /// How they were found: never [`Method::Auto`].
    pub method: Method,
    /// Matrix-free products, or passes over the batches for Rayleigh descent; 0 for the
    /// dense path.
    pub iterations: usize,
    /// Bytes of basis vectors or matrices at most, the captured data not counted.
    pub bytes: usize,
}

impl SiteSpectra {
    /// The spectra, neuron by neuron.
    pub fn iter(&self) -> impl Iterator<Item = &Spectrum> {
        self.spectra.iter()
    }
}

/// When Krylov iterations end.
#[derive(Debug, Clone, Copy)]
pub struct KrylovLimits {
    /// Residual allowed, relative to the neuron's largest |λ|.
    pub tolerance: f64,
    /// Products at most, those that verify not counted.
    pub iterations: usize,
    /// Basis vectors of each neuron at most, before a restart.
    pub basis: usize,
}
