//! Layers that several networks have: convolutions without bias, each with its BatchNorm.

use burgeon_ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig,
};
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};

/// A convolution and its BatchNorm, padded by half its odd kernel.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    /// The convolution.
    pub conv: FastConv2d,
    /// Its norm.
    pub norm: FastBatchNorm,
}

impl ConvNorm {
    /// A layer from `channels[0]` to `channels[1]`.
    pub fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let conv = FastConv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(half(kernel))
            .with_bias(false);
        Self {
            conv: conv.init(device),
            norm: FastBatchNormConfig::new(channels[1]).init(device),
        }
    }

    /// Normalised maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(maps))
    }

    /// Number of output channels.
    pub fn channels(&self) -> usize {
        self.conv.weight.dims()[0]
    }
}

/// A depthwise convolution and its BatchNorm, padded by half its odd kernel.
#[derive(Module, Debug)]
pub(crate) struct DepthwiseNorm {
    /// The convolution.
    pub conv: DepthwiseConv2d,
    /// Its norm.
    pub norm: FastBatchNorm,
}

impl DepthwiseNorm {
    /// A layer of so many channels.
    pub fn new(channels: usize, kernel: usize, stride: usize, device: &Device) -> Self {
        let conv = DepthwiseConv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(half(kernel))
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

fn half(kernel: usize) -> PaddingConfig2d {
    let pad = kernel / 2;
    PaddingConfig2d::Explicit(pad, pad, pad, pad)
}
