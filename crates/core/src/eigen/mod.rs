//! Spectra: the extremal eigenpairs of splitting matrices.

mod dense;

pub use dense::{dense_spectra, spectrum};

use serde::{Deserialize, Serialize};

/// An eigenvalue with its unit vector and the residual `‖S v − λ v‖`, which
/// bounds the distance from `value` to the nearest true eigenvalue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eigenpair {
    /// λ.
    pub value: f64,
    /// v, of norm 1; its entry of largest magnitude is positive.
    pub vector: Vec<f64>,
    /// `‖S v − λ v‖`.
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
