//! How copies are weighted and moved.
//!
//! A neuron `θ` with outgoing weight `a` becomes m copies `θ + ε δ_i` with
//! outgoing weights `a·w_i`, `Σ w_i = 1`, which leaves the network as it is at
//! ε = 0. With `Σ w_i δ_i = 0` the first-order term and the term of `Φ″`
//! vanish, and the loss changes by `ε² G + O(ε³)` with
//! `G = ½ Σ w_i δ_iᵀ S δ_i` (arXiv 1910.02366, theorem 2.2).
//!
//! # The gains
//!
//! Let `λ`, `v` be the smallest eigenvalue of S and its vector, `Λ`, `u` the largest,
//! `l = |min(λ, 0)|`, `L = max(Λ, 0)`, and let the weights satisfy `Σ|w_i| ≤ c`
//! (arXiv 2003.10392), so that the positive ones sum to at most `p = (c+1)/2` and the
//! negative ones to at most `n = (c−1)/2` in magnitude, `p − n = 1`. Offsets have norm at
//! most 1.
//!
//! * *positive2*: ±v with ½ each contribute `½·½·λ` each: `G = −½ l`.
//! * *positive3*: ±v with p/2 each contribute `½ p λ`; the third copy, of weight −n, stays
//!   at δ = 0 and pays the weights' sum: `G = −½ p l`.
//! * *negative3*: ±u with −n/2 each contribute `−½ n Λ`; a copy of weight p stays at 0:
//!   `G = −½ n L`.
//! * *negative2*: one positive copy δ₁ of weight p, one negative δ₂ = u of weight −n,
//!   centred: `p δ₁ = n u`. So `G = ½ (p (n/p)² − n) Λ = −½ (n/p) L`, since
//!   `n²/p − n = −n/p`.
//! * *four*: the moving copies of positive3 and negative3 together, `p − n = 1` without any
//!   copy at rest: `G = −½ (p l + n L)`. No scheme of any m does better, since each
//!   positive copy contributes at least `½ w λ` and each negative one at least `−½ |w| Λ`.
//! * *mixed3*, which is this project's own and not the paper's: p/2 each at
//!   `α u ± √(1−α²) v`, `α = n/p`, and −n at u, centred since `p α = n`. Inserting,
//!   `G = ½ (p α² Λ + p (1−α²) λ − n Λ) = −½ (n L + c l)/p`, since
//!   `p(1−α²) = (p²−n²)/p = c/p`. It is used where `L > n l > 0`, where it beats both
//!   three-copy schemes of the paper.
//!
//! The property tests in `tests/schemes.rs` check each gain against its quadratic form and
//! search for better ones.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::spectrum::Spectrum;

/// A way to place the copies of a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scheme {
    /// Two copies of weight ½ moved by ±δ; with `δ = v_min` the optimum over
    /// all positive weights, `ΔL = ε²/2 · λ_min` (arXiv 1910.02366).
    Positive2,
    /// A copy of positive and one of negative weight, both along v_max
    /// (arXiv 2003.10392).
    Negative2,
    /// Two copies of positive weight along ±v_min, one of negative weight at rest
    /// (arXiv 2003.10392).
    Positive3,
    /// Two copies of negative weight along ±v_max, one of positive weight at rest
    /// (arXiv 2003.10392).
    Negative3,
    /// Two copies along ±v_min and two of negative weight along ±v_max
    /// (arXiv 2003.10392).
    Four,
    /// Two copies of positive weight between v_max and ±v_min, one of negative weight
    /// at v_max; not from the paper.
    Mixed3,
    /// Two copies of weight ½, one of them moved alone, as noise that tells
    /// them apart (Net2Wider, arXiv 1511.05641).
    Net2Wider,
}

/// The bound c on `Σ|w_i|`, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct WeightBound(f64);

impl WeightBound {
    /// c = 1: positive weights only, where signed splitting is plain splitting.
    pub const POSITIVE: Self = Self(1.0);

    /// # Errors
    /// [`CoreError::Parameter`] unless c is finite and at least 1.
    pub fn new(c: f64) -> Result<Self, CoreError> {
        if c.is_finite() && c >= 1.0 {
            return Ok(Self(c));
        }
        Err(CoreError::Parameter {
            name: "bound c on the sum of |w|",
            value: c.to_string(),
            expected: "a finite number of at least 1, since the weights sum to 1",
        })
    }

    /// c.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Largest sum of positive weights, `(c+1)/2`.
    const fn positive(self) -> f64 {
        0.5 * (self.0 + 1.0)
    }

    /// Largest magnitude of the sum of negative weights, `(c−1)/2`.
    const fn negative(self) -> f64 {
        0.5 * (self.0 - 1.0)
    }
}

impl TryFrom<f64> for WeightBound {
    type Error = CoreError;

    fn try_from(c: f64) -> Result<Self, CoreError> {
        Self::new(c)
    }
}

impl From<WeightBound> for f64 {
    fn from(bound: WeightBound) -> Self {
        bound.0
    }
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
    /// The schemes that follow a spectrum, fewest copies first.
    pub const DIRECTED: [Self; 6] = [
        Self::Positive2,
        Self::Negative2,
        Self::Positive3,
        Self::Negative3,
        Self::Mixed3,
        Self::Four,
    ];

    /// Number of copies m; the network gains m − 1 neurons.
    pub const fn copies(self) -> usize {
        match self {
            Self::Positive2 | Self::Negative2 | Self::Net2Wider => 2,
            Self::Positive3 | Self::Negative3 | Self::Mixed3 => 3,
            Self::Four => 4,
        }
    }

    /// The copies, for the unit vectors `min` and `max` `[d]` that stand for v_min and
    /// v_max, orthogonal where a scheme uses both. [`Positive2`](Self::Positive2) and
    /// [`Net2Wider`](Self::Net2Wider) use `min` only, and neither depends on the bound.
    pub fn offspring(self, min: &[f64], max: &[f64], bound: WeightBound) -> Vec<Offspring> {
        let (p, n) = (bound.positive(), bound.negative());
        let at = |weight: f64, a: f64, b: f64| Offspring {
            weight,
            offset: min.iter().zip(max).map(|(v, u)| a * v + b * u).collect(),
        };
        match self {
            Self::Positive2 => vec![at(0.5, 1.0, 0.0), at(0.5, -1.0, 0.0)],
            Self::Negative2 => vec![at(p, 0.0, n / p), at(-n, 0.0, 1.0)],
            Self::Positive3 => vec![
                at(0.5 * p, 1.0, 0.0),
                at(0.5 * p, -1.0, 0.0),
                at(-n, 0.0, 0.0),
            ],
            Self::Negative3 => vec![
                at(p, 0.0, 0.0),
                at(-0.5 * n, 0.0, 1.0),
                at(-0.5 * n, 0.0, -1.0),
            ],
            Self::Four => vec![
                at(0.5 * p, 1.0, 0.0),
                at(0.5 * p, -1.0, 0.0),
                at(-0.5 * n, 0.0, 1.0),
                at(-0.5 * n, 0.0, -1.0),
            ],
            Self::Mixed3 => {
                let along = n / p;
                let across = (1.0 - along * along).sqrt();
                vec![
                    at(0.5 * p, across, along),
                    at(0.5 * p, -across, along),
                    at(-n, 0.0, 1.0),
                ]
            }
            Self::Net2Wider => vec![at(0.5, 0.0, 0.0), at(0.5, 1.0, 0.0)],
        }
    }

    /// The predicted decrease of the loss per ε², `−G ≥ 0`, for a spectrum with the ends
    /// `min` and `max`; 0 where the scheme is not used.
    pub fn gain(self, min: f64, max: f64, bound: WeightBound) -> f64 {
        let (p, n) = (bound.positive(), bound.negative());
        let (l, big) = ((-min).max(0.0), max.max(0.0));
        match self {
            Self::Positive2 => 0.5 * l,
            Self::Negative2 => 0.5 * (n / p) * big,
            Self::Positive3 => 0.5 * p * l,
            Self::Negative3 => 0.5 * n * big,
            Self::Four => 0.5 * (p * l + n * big),
            Self::Mixed3 if n > 0.0 && l > 0.0 && big > n * l => {
                0.5 * (bound.value() * l + n * big) / p
            }
            Self::Mixed3 | Self::Net2Wider => 0.0,
        }
    }

    /// The split that this scheme makes of a neuron with `spectrum`, and its gain.
    /// `None` where it has none: an eigenvalue counts only beyond its residual.
    /// [`Net2Wider`](Self::Net2Wider) follows no spectrum and never finds one.
    pub fn best_split(
        self,
        spectrum: &Spectrum,
        bound: WeightBound,
    ) -> Option<(Vec<Offspring>, f64)> {
        let (min, max) = (&spectrum.min, &spectrum.max);
        let beyond = |value: f64, residual: f64| if value.abs() > residual { value } else { 0.0 };
        let (least, most) = (
            beyond(min.value, min.residual),
            beyond(max.value, max.residual),
        );
        // With one end of no use, three copies do what four would.
        if self == Self::Four && (least >= 0.0 || most <= 0.0) {
            return None;
        }
        let gain = self.gain(least, most, bound);
        (gain > 0.0).then(|| (self.offspring(&min.vector, &max.vector, bound), gain))
    }

    /// The scheme's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive2 => "positive2",
            Self::Negative2 => "negative2",
            Self::Positive3 => "positive3",
            Self::Negative3 => "negative3",
            Self::Four => "four",
            Self::Mixed3 => "mixed3",
            Self::Net2Wider => "net2wider",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
