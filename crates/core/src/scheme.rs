//! How copies are weighted and moved.
//!
//! A neuron `θ` with outgoing weight `a` becomes m copies `θ + ε δ_i` with
//! outgoing weights `a·w_i`, `Σ w_i = 1`, which leaves the network as it is at
//! ε = 0. With `Σ w_i δ_i = 0` the first-order term and the term of `Φ″`
//! vanish, and the loss changes by `ε²/2 · Σ w_i δ_iᵀ S δ_i + O(ε³)`
//! (arXiv 1910.02366, theorem 2.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::eigen::Spectrum;

/// A way to place the copies of a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scheme {
    /// Two copies of weight ½ moved by ±δ; with `δ = v_min` the optimum over
    /// all positive weights, `ΔL = ε²/2 · λ_min` (arXiv 1910.02366).
    Positive2,
    /// Two copies of weight ½, one of them moved alone, as noise that tells
    /// them apart (Net2Wider, arXiv 1511.05641).
    Net2Wider,
}

/// One copy of a split neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offspring {
    /// `w_i`, the factor on the parent's outgoing weights.
    pub weight: f64,
    /// `δ_i`, `[d]` with norm at most 1, in the order of the fan-in with the
    /// bias last. The copy's parameters are `θ + ε δ_i`.
    pub offset: Vec<f64>,
}

impl Scheme {
    /// The copies this scheme makes when moved along the unit vector
    /// `direction` `[d]`.
    pub fn offspring(self, direction: &[f64]) -> Vec<Offspring> {
        let moved = |weight, factor: f64| Offspring {
            weight,
            offset: direction.iter().map(|value| factor * value).collect(),
        };
        match self {
            Self::Positive2 => vec![moved(0.5, 1.0), moved(0.5, -1.0)],
            Self::Net2Wider => vec![moved(0.5, 0.0), moved(0.5, 1.0)],
        }
    }

    /// The best split that this scheme finds in `spectrum`, with its gain:
    /// the predicted decrease of the loss per ε², `−½ λ_min` for
    /// [`Positive2`](Self::Positive2). `None` where the neuron is stable: no
    /// eigenvalue is negative beyond its residual. [`Net2Wider`](Self::Net2Wider)
    /// follows no spectrum and never finds one.
    pub fn best_split(self, spectrum: &Spectrum) -> Option<(Vec<Offspring>, f64)> {
        match self {
            Self::Positive2 => {
                let min = &spectrum.min;
                let stable = min.value >= -min.residual;
                (!stable).then(|| (self.offspring(&min.vector), -0.5 * min.value))
            }
            Self::Net2Wider => None,
        }
    }

    /// The scheme's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive2 => "positive2",
            Self::Net2Wider => "net2wider",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
