//! Shorthands for layers that many models have.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

/// A linear layer with bias.
pub fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).init(device)
}

/// A convolution with bias and a padding of half its odd kernel.
pub fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    conv_config(channels, kernel, stride).init(device)
}

/// The configuration of [`conv`].
pub fn conv_config(channels: [usize; 2], kernel: usize, stride: usize) -> Conv2dConfig {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
}

/// A BatchNorm.
pub fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

/// Means over the positions of maps `[b, c, h, w]`: `[b, c]`.
pub fn global_mean(maps: Tensor<4>) -> Tensor<2> {
    maps.mean_dims(&[2, 3]).flatten(1, 3)
}

/// A convolution without bias and its BatchNorm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: Conv2d,
    /// Its norm.
    pub norm: BatchNorm,
}

impl ConvNorm {
    /// A new layer, padded by half its kernel.
    pub fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv: conv_config(channels, kernel, stride)
                .with_bias(false)
                .init(device),
            norm: batch_norm(channels[1], device),
        }
    }

    /// Normalised maps.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(maps))
    }
}
