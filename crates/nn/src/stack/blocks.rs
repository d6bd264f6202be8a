//! Blocks that stacks are often made of.

use burgeon_ops::{FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig};
use burn::module::{Module, ParamId};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use super::{Block, parameters_of};

/// `x + W₂ silu(W₁ x + b₁) + b₂` over rows `[n, width]`.
#[derive(Module, Debug)]
pub struct ResidualLinear {
    /// `W₁` `[width, hidden]`, `b₁`.
    pub expand: Linear,
    /// `W₂` `[hidden, width]`, `b₂`.
    pub project: Linear,
}

impl ResidualLinear {
    /// Rows of `width`, with `hidden` neurons within.
    pub fn new(width: usize, hidden: usize, device: &Device) -> Self {
        Self {
            expand: LinearConfig::new(width, hidden).init(device),
            project: LinearConfig::new(hidden, width).init(device),
        }
    }
}

impl Block for ResidualLinear {
    type Data = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = silu(self.expand.forward(input.clone()));
        input + self.project.forward(hidden)
    }

    fn fresh(&self) -> Self {
        let [hidden, width] = self.project.weight.dims();
        Self::new(width, hidden, &self.project.weight.device())
    }

    fn closing(&self) -> Vec<ParamId> {
        parameters_of(&self.project)
    }
}

/// `x + norm₂(conv₂(silu(norm₁(conv₁(x)))))` over maps `[n, width, h, w]`, with convolutions 3×3
/// that keep the maps' size and have no biases.
#[derive(Module, Debug)]
pub struct ResidualConv2d {
    /// `[hidden, width, 3, 3]`.
    pub conv1: FastConv2d,
    /// Of `hidden` channels.
    pub norm1: FastBatchNorm,
    /// `[width, hidden, 3, 3]`.
    pub conv2: FastConv2d,
    /// Of `width` channels.
    pub norm2: FastBatchNorm,
}

impl ResidualConv2d {
    /// Maps of `width` channels, with `hidden` ones within.
    pub fn new(width: usize, hidden: usize, device: &Device) -> Self {
        let conv = |from: usize, to: usize| {
            let config = FastConv2dConfig::new([from, to], [3, 3]);
            let config = config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            config.with_bias(false).init(device)
        };
        Self {
            conv1: conv(width, hidden),
            norm1: FastBatchNormConfig::new(hidden).init(device),
            conv2: conv(hidden, width),
            norm2: FastBatchNormConfig::new(width).init(device),
        }
    }
}

impl Block for ResidualConv2d {
    type Data = Tensor<4>;

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = silu(self.norm1.forward(self.conv1.forward(input.clone())));
        input + self.norm2.forward(self.conv2.forward(hidden))
    }

    fn fresh(&self) -> Self {
        let [width, hidden, _, _] = self.conv2.weight.dims();
        Self::new(width, hidden, &self.conv2.weight.device())
    }

    fn closing(&self) -> Vec<ParamId> {
        vec![self.norm2.gamma.id, self.norm2.beta.id]
    }
}
