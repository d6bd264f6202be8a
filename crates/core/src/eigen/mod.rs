//! Spectra: the extremal eigenpairs of splitting matrices, by three ways that can stand
//! for each other: [`Method::Dense`], [`Method::Krylov`] and [`Method::Rayleigh`].

mod dense;
mod general;
mod krylov;
mod operator;
mod rayleigh;
mod solver;

pub use dense::{dense_spectra, spectrum};
pub use general::GeneralNeurons;
pub use krylov::KrylovLimits;
pub use operator::{CapturedOperator, Directions, SiteShape, SplittingOperator, apply};
pub use rayleigh::RayleighDescent;
pub use solver::{Method, SiteSpectra, SpectrumSolver};

use nalgebra::DVector;

use serde::{Deserialize, Serialize};

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
fn orient(vector: &mut DVector<f64>) {
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
