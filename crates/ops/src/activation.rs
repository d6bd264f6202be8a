//! Activations with value, first and second derivative.

use std::f64::consts::{FRAC_1_SQRT_2, PI};
use std::fmt;
use std::str::FromStr;

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// An activation `σ` with its first and second derivative, `σ′` and `σ″`.
///
/// All are element-wise and keep shape, type and device of their argument.
/// They are exact in the tensor's own type: Burn's `sigmoid` and `silu` go
/// through f32 whatever the tensor's type, so those two are written with
/// `tanh` here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum Activation {
    /// `max(z, 0)`. Its `σ″` is a delta at 0; where one is asked for, that of a softplus
    /// stands in: `β s(1−s)`, `s = sigmoid(β z)`.
    Relu {
        /// Sharpness of the softplus that lends its `σ″`.
        beta: f64,
    },
    /// `ln(1 + exp(β z)) / β`.
    Softplus {
        /// Sharpness.
        beta: f64,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// `z · sigmoid(z)`, also called swish.
    Silu,
    /// `z · Φ(z)` with the exact normal distribution function.
    Gelu,
    /// `exp(−z²/2)`, the neuron of the S2D paper's toy.
    Rbf,
}

impl Activation {
    /// The names that [`Activation::from_str`] reads.
    pub const NAMES: [&'static str; 7] =
        ["relu", "softplus", "tanh", "sigmoid", "silu", "gelu", "rbf"];

    /// ReLU with the `σ″` of a softplus of sharpness 3.
    pub const fn relu() -> Self {
        Self::Relu { beta: 3.0 }
    }

    /// Softplus with β = 1.
    pub const fn softplus() -> Self {
        Self::Softplus { beta: 1.0 }
    }

    /// Whether [`second_derivative`](Self::second_derivative) is that of
    /// [`value`](Self::value), and not a surrogate.
    pub const fn has_exact_curvature(self) -> bool {
        !matches!(self, Self::Relu { .. })
    }

    /// The activation's name, as [`Activation::from_str`] reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu { .. } => "relu",
            Self::Softplus { .. } => "softplus",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::Rbf => "rbf",
        }
    }

    /// `σ(z)`.
    pub fn value<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu { .. } => activation::relu(z),
            Self::Softplus { beta } => {
                let scaled = z.mul_scalar(beta);
                let tail = scaled.clone().abs().neg().exp().log1p();
                (activation::relu(scaled) + tail).div_scalar(beta)
            }
            Self::Tanh => z.tanh(),
            Self::Sigmoid => sigmoid(z),
            Self::Silu => z.clone() * sigmoid(z),
            Self::Gelu => z.clone() * normal_cdf(z),
            Self::Rbf => gaussian(z),
        }
    }

    /// `σ′(z)`; of the ReLU 0 for `z ≤ 0` and 1 for `z > 0`.
    pub fn derivative<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu { .. } => z.sign().clamp_min(0.0),
            Self::Softplus { beta } => logistic(z.mul_scalar(beta)),
            Self::Tanh => z.tanh().square().neg().add_scalar(1.0),
            Self::Sigmoid => {
                let s = logistic(z);
                s.clone() * one_minus(s)
            }
            Self::Silu => {
                let s = logistic(z.clone());
                s.clone() + z * s.clone() * one_minus(s)
            }
            Self::Gelu => normal_cdf(z.clone()) + z.clone() * normal_density(z),
            Self::Rbf => z.clone().neg() * gaussian(z),
        }
    }

    /// `σ″(z)`, or its stated surrogate where `σ` is the ReLU.
    pub fn second_derivative<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu { beta } | Self::Softplus { beta } => {
                let s = logistic(z.mul_scalar(beta));
                (s.clone() * one_minus(s)).mul_scalar(beta)
            }
            Self::Tanh => {
                let t = z.tanh();
                let slope = t.clone().square().neg().add_scalar(1.0);
                (t * slope).mul_scalar(-2.0)
            }
            Self::Sigmoid => {
                let s = logistic(z);
                let tilt = s.clone().mul_scalar(-2.0).add_scalar(1.0);
                s.clone() * one_minus(s) * tilt
            }
            Self::Silu => {
                let s = logistic(z.clone());
                let tilt = z * s.clone().mul_scalar(-2.0).add_scalar(1.0);
                s.clone() * one_minus(s) * tilt.add_scalar(2.0)
            }
            Self::Gelu => {
                let curve = z.clone().square().neg().add_scalar(2.0);
                normal_density(z) * curve
            }
            Self::Rbf => z.clone().square().sub_scalar(1.0) * gaussian(z),
        }
    }
}

fn sigmoid<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    z.mul_scalar(0.5).tanh().mul_scalar(0.5).add_scalar(0.5)
}

/// The logistic function where no gradient is asked for: faster, but autodiff would meet
/// infinity times zero.
fn logistic<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    z.neg().exp().add_scalar(1.0).recip()
}

fn one_minus<const D: usize>(s: Tensor<D>) -> Tensor<D> {
    s.neg().add_scalar(1.0)
}

fn gaussian<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    z.square().mul_scalar(-0.5).exp()
}

fn normal_cdf<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    z.mul_scalar(FRAC_1_SQRT_2)
        .erf()
        .add_scalar(1.0)
        .mul_scalar(0.5)
}

fn normal_density<const D: usize>(z: Tensor<D>) -> Tensor<D> {
    gaussian(z).div_scalar((2.0 * PI).sqrt())
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "relu" => Self::relu(),
            "softplus" => Self::softplus(),
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "silu" | "swish" => Self::Silu,
            "gelu" => Self::Gelu,
            "rbf" => Self::Rbf,
            other => {
                return Err(UnknownActivation(other.to_owned()));
            }
        })
    }
}

/// A name that stands for no activation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown activation `{0}`: use one of {names}", names = Activation::NAMES.join(", "))]
pub struct UnknownActivation(String);
