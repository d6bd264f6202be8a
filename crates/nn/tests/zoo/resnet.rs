//! ResNet-20 for 32×32 images (He et al. 2016), with projection shortcuts.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::tensor::{Device, Tensor};

use super::activation::Activation;
use super::layers::{ConvNorm, linear};
use super::{example, variants};

/// Two 3×3 convolutions and a shortcut; the activation follows the sum.
#[derive(Module, Debug)]
pub struct BasicBlock {
    pub first: ConvNorm,
    pub second: ConvNorm,
    /// 1×1, where size or width change.
    pub shortcut: Option<ConvNorm>,
    #[module(skip)]
    pub activation: Activation,
}

impl BasicBlock {
    /// A block from `channels[0]` to `channels[1]`.
    pub fn new(
        channels: [usize; 2],
        stride: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let [inputs, outputs] = channels;
        Self {
            first: ConvNorm::new(channels, 3, stride, device),
            second: ConvNorm::new([outputs, outputs], 3, 1, device),
            shortcut: (stride != 1 || inputs != outputs)
                .then(|| ConvNorm::new(channels, 1, stride, device)),
            activation,
        }
    }

    /// Maps after the sum's activation.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.activation.forward(self.first.forward(x.clone()));
        let h = self.second.forward(h);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        self.activation.forward(h + x)
    }
}

/// Stem, three stages of three basic blocks with widths w, 2w, 4w, mean, linear.
#[derive(Module, Debug)]
pub struct ResNet20 {
    pub stem: ConvNorm,
    pub blocks: Vec<BasicBlock>,
    pub pool: AdaptiveAvgPool2d,
    pub head: Linear,
    #[module(skip)]
    pub activation: Activation,
}

impl ResNet20 {
    /// The first stage has `width` channels (16 in the paper); three image channels, ten classes.
    pub fn with_width(width: usize, activation: Activation, device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut inputs = width;
        for stage in 0..3 {
            let outputs = width << stage;
            for block in 0..3 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let channels = [inputs, outputs];
                blocks.push(BasicBlock::new(channels, stride, activation, device));
                inputs = outputs;
            }
        }
        Self {
            stem: ConvNorm::new([3, width], 3, 1, device),
            blocks,
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: linear(inputs, 10, device),
            activation,
        }
    }

    /// Outputs `[b, 10]` of images `[b, 3, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h = self.activation.forward(self.stem.forward(x));
        for block in &self.blocks {
            h = block.forward(h);
        }
        self.head.forward(self.pool.forward(h).flatten(1, 3))
    }
}

example!(ResNet20 = "resnet20", [3, 8, 8] => [10], |device| {
    ResNet20::with_width(3, Activation::Silu, device)
});
variants! { ResNet20:
    ResNet20Relu = "resnet20_relu", |device| ResNet20::with_width(3, Activation::Relu, device);
}
