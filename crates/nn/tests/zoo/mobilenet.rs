//! Inverted residuals (MobileNetV2, Sandler et al. 2018).

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use super::activation::Activation;
use super::layers::{ConvNorm, batch_norm, conv_config, global_mean, linear};
use super::{example, variants};

/// A 3×3 depthwise convolution that has as many groups as its weight has rows.
#[derive(Module, Debug)]
pub struct Depthwise {
    /// `[c, 1, 3, 3]`.
    pub weight: Param<Tensor<4>>,
    pub stride: usize,
}

impl Depthwise {
    /// Each channel's own convolution.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let groups = weight.dims()[0];
        let stride = [self.stride, self.stride];
        conv2d(
            x,
            weight,
            None,
            ConvOptions::new(stride, [1, 1], [1, 1], groups),
        )
    }
}

/// Either depthwise layer.
#[derive(Module, Debug)]
pub enum DepthwiseLayer {
    /// Burn's, which keeps its groups in a field.
    Grouped(Conv2d),
    /// That which reads its groups from its weight.
    Own(Depthwise),
}

impl DepthwiseLayer {
    /// Each channel's own convolution.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Grouped(conv) => conv.forward(x),
            Self::Own(conv) => conv.forward(x),
        }
    }
}

/// Which depthwise layer a block has.
#[derive(Clone, Copy, Debug)]
pub enum DepthwiseKind {
    Grouped,
    Own,
}

impl DepthwiseKind {
    fn init(self, channels: usize, stride: usize, device: &Device) -> DepthwiseLayer {
        match self {
            Self::Grouped => DepthwiseLayer::Grouped(
                conv_config([channels, channels], 3, stride)
                    .with_groups(channels)
                    .with_bias(false)
                    .init(device),
            ),
            Self::Own => DepthwiseLayer::Own(Depthwise {
                weight: Initializer::Normal {
                    mean: 0.0,
                    std: 0.3,
                }
                .init([channels, 1, 3, 3], device),
                stride,
            }),
        }
    }
}

/// Expand, filter each channel, project; a residual where the shape stays.
#[derive(Module, Debug)]
pub struct MobileNetV2Block {
    pub expand: ConvNorm,
    pub depthwise: DepthwiseLayer,
    pub norm: BatchNorm,
    pub project: ConvNorm,
    pub residual: bool,
    #[module(skip)]
    pub activation: Activation,
}

impl MobileNetV2Block {
    /// A block of `channels` `[in, hidden, out]`.
    pub fn new(
        channels: [usize; 3],
        stride: usize,
        kind: DepthwiseKind,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let [inputs, hidden, outputs] = channels;
        Self {
            expand: ConvNorm::new([inputs, hidden], 1, 1, device),
            depthwise: kind.init(hidden, stride, device),
            norm: batch_norm(hidden, device),
            project: ConvNorm::new([hidden, outputs], 1, 1, device),
            residual: stride == 1 && inputs == outputs,
            activation,
        }
    }

    /// Projected maps; no activation follows them.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.activation.forward(self.expand.forward(x.clone()));
        let h = self.norm.forward(self.depthwise.forward(h));
        let h = self.project.forward(self.activation.forward(h));
        if self.residual { h + x } else { h }
    }
}

/// A stem, a block with and one without residual, mean, linear.
#[derive(Module, Debug)]
pub struct MobileNetV2 {
    pub stem: ConvNorm,
    pub blocks: Vec<MobileNetV2Block>,
    pub head: Linear,
    #[module(skip)]
    pub activation: Activation,
}

impl MobileNetV2 {
    /// `width` channels after the stem.
    pub fn with(
        width: usize,
        kind: DepthwiseKind,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let w = width;
        Self {
            stem: ConvNorm::new([3, w], 3, 2, device),
            blocks: vec![
                MobileNetV2Block::new([w, 2 * w, w], 1, kind, activation, device),
                MobileNetV2Block::new([w, 2 * w, w + 1], 2, kind, activation, device),
            ],
            head: linear(w + 1, 4, device),
            activation,
        }
    }

    /// Outputs `[b, 4]` of `[b, 3, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h = self.activation.forward(self.stem.forward(x));
        for block in &self.blocks {
            h = block.forward(h);
        }
        self.head.forward(global_mean(h))
    }
}

example!(MobileNetV2 = "mobilenet_v2", [3, 8, 8] => [4], |device| {
    MobileNetV2::with(3, DepthwiseKind::Grouped, Activation::Silu, device)
});
variants! { MobileNetV2:
    MobileNetV2Relu6 = "mobilenet_v2_relu6",
        |d| MobileNetV2::with(3, DepthwiseKind::Grouped, Activation::Relu6, d);
    MobileNetV2Depthwise = "mobilenet_v2_depthwise",
        |d| MobileNetV2::with(3, DepthwiseKind::Own, Activation::Silu, d);
}
