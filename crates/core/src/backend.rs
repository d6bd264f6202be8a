//! Where the heavy products of splitting run.

use std::fmt::Debug;

use burgeon_ops::{Activation, Window};
use burn::tensor::{DType, Device, Tensor, s};

use crate::block::{CurvatureBlock, SiteInput};
use crate::curvature::Curvature;
use crate::error::CoreError;
use crate::row_sample::RowSample;
use crate::spectrum::{KrylovLimits, SiteSpectra};

/// Largest intermediate, in numbers, that the default methods build at once.
const CHUNK: usize = 1 << 23;

/// A device and the products of splitting on it.
///
/// The default methods are plain tensor operations, right on every Burn device;
/// a backend crate overrides what it does faster and proves with
/// the `testing` feature's conformance suite that it is still the same.
pub trait SplitBackend: Debug + Send + Sync {
    /// The backend's name on the command line.
    fn name(&self) -> &'static str;

    /// The plain device (without autodiff) that tensors live on.
    fn device(&self) -> Device;

    /// Whether networks and captures may be of this type.
    fn supports(&self, dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::F64) && self.device().supports_dtype(dtype)
    }

    /// The type of exact sums over rows, that of the reference path.
    fn accumulation_dtype(&self) -> DType {
        DType::F64
    }

    /// `W = g ∘ σ″(z) ∘ c²` of pre-activations `z` and gradients `g` `[n, M]`, and
    /// of the scales `c` `[M]` of a normalisation between fan-in and activation.
    fn curvature_weights(
        &self,
        activation: Activation,
        z: Tensor<2>,
        gradient: Tensor<2>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        curvature_weights(activation, z, gradient, scale)
    }

    /// [`curvature_weights`](Self::curvature_weights) of maps `[b, M, h, w]`, as rows
    /// `[b·h·w, M]`.
    fn curvature_weights_of_maps(
        &self,
        activation: Activation,
        z: Tensor<4>,
        gradient: Tensor<4>,
        scale: Option<Tensor<1>>,
    ) -> Tensor<2> {
        self.curvature_weights(activation, rows_of_maps(z), rows_of_maps(gradient), scale)
    }

    /// How much each row of a block can add to the splitting matrices of all neurons:
    /// `‖W_r‖ ‖x̃_r‖²`, the root of `Σ_j ‖W_rj x̃_r x̃_rᵀ‖²`, `[n]`. Not for a depthwise block.
    fn row_sizes(&self, block: &CurvatureBlock) -> Tensor<1> {
        row_sizes(block)
    }

    /// The rows of `sample` of a block.
    fn sampled(&self, block: CurvatureBlock, sample: &RowSample) -> CurvatureBlock {
        block.sampled(sample)
    }

    /// The spectra of a site by Krylov iterations that stay on the device; `None` where the
    /// iterations on the host are to be used.
    fn krylov_spectra(
        &self,
        _curvature: &Curvature,
        _limits: &KrylovLimits,
    ) -> Option<Result<SiteSpectra, CoreError>> {
        None
    }

    /// Inputs as rows in `dtype`: `[1, n, d]` where all neurons share them, `[M, n, d]` for
    /// a depthwise convolution.
    fn fan_in_rows(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        let rows = match &block.input {
            SiteInput::Rows(x) => x.clone().cast(dtype).unsqueeze_dim::<3>(0),
            SiteInput::Maps(x, window) => {
                let [b, c, ..] = x.dims();
                let patches = patches(x.clone().cast(dtype), window);
                let [_, _, taps, positions] = patches.dims();
                patches
                    .reshape([b, c * taps, positions])
                    .swap_dims(1, 2)
                    .reshape([1, b * positions, c * taps])
            }
            SiteInput::ChannelMaps(x, window) => {
                let [b, c, ..] = x.dims();
                let patches = patches(x.clone().cast(dtype), window);
                let [_, _, taps, positions] = patches.dims();
                patches
                    .permute([1, 0, 3, 2])
                    .reshape([c, b * positions, taps])
            }
        };
        if !block.bias {
            return rows;
        }
        let [m, n, _] = rows.dims();
        let ones = Tensor::ones([m, n, 1], (&rows.device(), dtype));
        Tensor::cat(vec![rows, ones], 2)
    }

    /// `S_j = Xᵀ diag(W_:j) X` of the block for every neuron, `[M, d, d]`, computed in
    /// `dtype`.
    fn splitting_matrices(&self, block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
        let rows = self.fan_in_rows(block, dtype);
        let [sets, n, d] = rows.dims();
        let m = block.neurons();
        let weights = block.weights.clone().cast(dtype);
        let chunk = (CHUNK / (n * d).max(1)).clamp(1, m);
        let parts = (0..m)
            .step_by(chunk)
            .map(|start| {
                let end = (start + chunk).min(m);
                let x = if sets == 1 {
                    rows.clone()
                } else {
                    rows.clone().slice(s![start..end])
                };
                let w = weights
                    .clone()
                    .slice(s![.., start..end])
                    .swap_dims(0, 1)
                    .unsqueeze_dim::<3>(2);
                let weighted = x.clone() * w;
                weighted
                    .swap_dims(1, 2)
                    .matmul(x.expand([end - start, n, d]))
            })
            .collect();
        Tensor::cat(parts, 0)
    }

    /// `S_j v_j` of the block for the rows of `directions` `[M, d]`, as
    /// `(W ∘ (X Vᵀ))ᵀ X`, `[M, d]`, computed in the type of `directions`.
    fn splitting_products(&self, block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
        let dtype = directions.dtype();
        let rows = self.fan_in_rows(block, dtype);
        let weights = block.weights.clone().cast(dtype);
        let [sets, n, d] = rows.dims();
        if sets == 1 {
            let x = rows.reshape([n, d]);
            let along = x.clone().matmul(directions.transpose());
            return (weights * along).transpose().matmul(x);
        }
        let along = rows
            .clone()
            .matmul(directions.unsqueeze_dim::<3>(2))
            .squeeze_dim::<2>(2);
        (weights.transpose() * along)
            .unsqueeze_dim::<3>(1)
            .matmul(rows)
            .squeeze_dim::<2>(1)
    }
}

/// [`SplitBackend::curvature_weights`] by plain tensor operations.
pub fn curvature_weights(
    activation: Activation,
    z: Tensor<2>,
    gradient: Tensor<2>,
    scale: Option<Tensor<1>>,
) -> Tensor<2> {
    let weights = gradient * activation.second_derivative(z);
    match scale {
        Some(scale) => weights * scale.square().unsqueeze_dim::<2>(0),
        None => weights,
    }
}

/// Maps `[b, M, h, w]` as rows `[b·h·w, M]`.
pub fn rows_of_maps(maps: Tensor<4>) -> Tensor<2> {
    let [b, m, h, w] = maps.dims();
    maps.permute([0, 2, 3, 1]).reshape([b * h * w, m])
}

/// [`SplitBackend::row_sizes`] by plain tensor operations.
pub fn row_sizes(block: &CurvatureBlock) -> Tensor<1> {
    let squares = match &block.input {
        SiteInput::Rows(x) => x.clone().square().sum_dim(1),
        SiteInput::Maps(x, window) | SiteInput::ChannelMaps(x, window) => {
            let squares = patches(x.clone().square().sum_dim(1), window).sum_dim(2);
            let positions = squares.shape().num_elements();
            squares.reshape([positions, 1])
        }
    };
    let squares = match block.bias {
        true => squares.add_scalar(1.0),
        false => squares,
    };
    let weights = block.weights.clone();
    let norms = weights.square().sum_dim(1).sqrt();
    (norms.cast(squares.dtype()) * squares).squeeze_dim::<1>(1)
}

/// The patches a window reads from maps `[b, c, h, w]`: `[b, c, taps, positions]`.
///
/// Built from strided slices: Burn's `unfold4d` runs a convolution with an
/// identity kernel as soon as there is padding.
pub fn patches(maps: Tensor<4>, window: &Window) -> Tensor<4> {
    let [b, c, h, w] = maps.dims();
    let [oh, ow] = window.output_size([h, w]);
    let [[top, bottom], [left, right]] = window.padding;
    let padded = if window.padding == [[0; 2]; 2] {
        maps
    } else {
        let shape = [b, c, h + top + bottom, w + left + right];
        Tensor::zeros(shape, (&maps.device(), maps.dtype()))
            .slice_assign(s![.., .., top..top + h, left..left + w], maps)
    };
    let [sy, sx] = window.stride;
    let mut taps = Vec::with_capacity(window.taps());
    for ky in 0..window.kernel[0] {
        for kx in 0..window.kernel[1] {
            let (y, x) = (ky * window.dilation[0], kx * window.dilation[1]);
            let tap = padded.clone().slice(s![
                ..,
                ..,
                y..y + (oh - 1) * sy + 1;sy,
                x..x + (ow - 1) * sx + 1;sx
            ]);
            taps.push(tap.reshape([b, c, 1, oh * ow]));
        }
    }
    Tensor::cat(taps, 2)
}
