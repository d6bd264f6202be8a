//! What several networks are made of.

use burgeon_ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig,
};
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};

/// For which images a network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// As published, for 224×224: the first layers halve the maps.
    LargeImages,
    /// For 32×32: they keep the size of the maps.
    SmallImages,
}

impl Stem {
    /// The stride of what halves large images only.
    pub(crate) fn stride(self) -> usize {
        match self {
            Self::LargeImages => 2,
            Self::SmallImages => 1,
        }
    }
}

/// A convolution and its BatchNorm, padded by half its odd kernel.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: FastConv2d,
    /// Its norm.
    pub norm: FastBatchNorm,
}

impl ConvNorm {
    /// A layer from `channels[0]` to `channels[1]`, its convolution with or without a bias.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        bias: bool,
        device: &Device,
    ) -> Self {
        let conv = FastConv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(half([kernel; 2]))
            .with_bias(bias);
        Self {
            conv: conv.init(device),
            norm: FastBatchNormConfig::new(channels[1]).init(device),
        }
    }

    /// Normalised maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(maps))
    }
}

/// A depthwise convolution and its BatchNorm, padded by half its odd kernel.
#[derive(Module, Debug)]
pub struct DepthwiseNorm {
    /// The convolution.
    pub conv: DepthwiseConv2d,
    /// Its norm.
    pub norm: FastBatchNorm,
}

impl DepthwiseNorm {
    /// A 3×3 layer of so many channels.
    pub fn new(channels: usize, stride: usize, device: &Device) -> Self {
        let conv = DepthwiseConv2dConfig::new(channels, [3; 2])
            .with_stride([stride; 2])
            .with_padding(half([3; 2]))
            .with_bias(false);
        Self {
            conv: conv.init(device),
            norm: FastBatchNormConfig::new(channels).init(device),
        }
    }

    /// Normalised maps `[b, c, h', w']` of `[b, c, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(maps))
    }
}

/// Padding by half a kernel, the smaller half before.
pub(crate) fn half([height, width]: [usize; 2]) -> PaddingConfig2d {
    let before = |kernel: usize| (kernel - 1) / 2;
    PaddingConfig2d::Explicit(before(height), before(width), height / 2, width / 2)
}

/// Means `[b, c]` over the positions of maps `[b, c, h, w]`.
pub(crate) fn means(maps: Tensor<4>) -> Tensor<2> {
    let positions: Tensor<3> = maps.flatten(2, 3);
    positions.mean_dim(2).flatten(1, 2)
}
