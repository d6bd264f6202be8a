//! `W = g ∘ σ″(z) ∘ c²` in one pass.

use burgeon_core::Activation;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::launch::{argument, empty};

/// The second derivative that a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Curve {
    /// `β s(1 − s)` of the logistic `s(βz)`: the softplus, and the ReLU's surrogate.
    Softplus,
    Tanh,
    Sigmoid,
    Silu,
    Gelu,
    Rbf,
}

impl Curve {
    /// The curve of an activation and its β.
    pub fn of(activation: Activation) -> (Self, f32) {
        match activation {
            Activation::Relu { beta } | Activation::Softplus { beta } => {
                (Self::Softplus, beta as f32)
            }
            Activation::Tanh => (Self::Tanh, 1.0),
            Activation::Sigmoid => (Self::Sigmoid, 1.0),
            Activation::Silu => (Self::Silu, 1.0),
            Activation::Gelu => (Self::Gelu, 1.0),
            Activation::Rbf => (Self::Rbf, 1.0),
        }
    }
}

/// `σ″(z)`, by an exponential that cannot overflow.
#[cube]
fn second_derivative(z: f32, beta: f32, #[comptime] curve: Curve) -> f32 {
    let x = z * beta;
    let magnitude = x.abs();
    if comptime!(curve == Curve::Gelu) {
        // 1/√(2π)
        (-0.5f32 * x * x).exp() * 0.3989423f32 * (2.0f32 - x * x)
    } else if comptime!(curve == Curve::Rbf) {
        (-0.5f32 * x * x).exp() * (x * x - 1.0f32)
    } else if comptime!(curve == Curve::Tanh) {
        let e = (-2.0f32 * magnitude).exp();
        let one = 1.0f32 + e;
        let slope = 4.0f32 * e / (one * one);
        let value = (1.0f32 - e) / one;
        let signed = select(x < 0.0f32, -value, value);
        -2.0f32 * signed * slope
    } else {
        let e = (-magnitude).exp();
        let one = 1.0f32 + e;
        let slope = e / (one * one);
        let half = (1.0f32 - e) / one;
        // 1 − 2s of the logistic s.
        let tilt = select(x < 0.0f32, half, -half);
        if comptime!(curve == Curve::Softplus) {
            beta * slope
        } else if comptime!(curve == Curve::Sigmoid) {
            slope * tilt
        } else {
            slope * (2.0f32 + x * tilt)
        }
    }
}

#[cube(launch)]
pub(crate) fn curvature_weights_kernel(
    z: &[f32],
    gradient: &[f32],
    scale: &[f32],
    weights: &mut [f32],
    beta: f32,
    #[comptime] curve: Curve,
) {
    if ABSOLUTE_POS >= weights.len() {
        terminate!();
    }
    let c = scale[ABSOLUTE_POS % scale.len()];
    let bend = second_derivative(z[ABSOLUTE_POS], beta, curve);
    weights[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * bend * c * c;
}

/// `[n, M]` of `z` and `gradient` `[n, M]` and `scale` `[M]`.
pub(crate) fn curvature_weights(
    z: CubeTensor,
    gradient: CubeTensor,
    scale: CubeTensor,
    (curve, beta): (Curve, f32),
) -> CubeTensor {
    let weights = empty(&z, z.meta.shape().clone());
    let numbers = z.meta.shape().num_elements();
    if numbers == 0 {
        return weights;
    }
    let units = CubeDim::new(&weights.client, numbers);
    let cubes = calculate_cube_count_elemwise(&weights.client, numbers, units);
    let client = weights.client.clone();
    curvature_weights_kernel::launch(
        &client,
        cubes,
        units,
        argument(z),
        argument(gradient),
        argument(scale),
        weights.clone().into_buffer_arg(),
        beta,
        curve,
    );
    weights
}
