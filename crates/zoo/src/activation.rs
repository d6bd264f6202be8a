//! Activations.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu, silu};

/// What follows a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// `max(z, 0)`.
    #[default]
    Relu,
    /// `min(max(z, 0), 6)`.
    Relu6,
    /// `z σ(z)`, smooth: its curvature is exact.
    Silu,
    /// `z Φ(z)`, smooth.
    Gelu,
}

impl Activation {
    /// Of each number.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(input),
            Self::Relu6 => input.clamp(0.0, 6.0),
            Self::Silu => silu(input),
            Self::Gelu => gelu(input),
        }
    }
}
