//! MobileNetV1 (arXiv 1704.04861).

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::error::{ZooError, check};
use crate::layers::{ConvNorm, DepthwiseNorm, Stem, means};

/// A depthwise and a pointwise convolution.
#[derive(Module, Debug)]
pub struct SeparableBlock {
    /// Each channel by itself.
    pub depthwise: DepthwiseNorm,
    /// All channels, position by position.
    pub pointwise: ConvNorm,
    #[module(skip)]
    activation: Activation,
}

impl SeparableBlock {
    /// A block from `channels[0]` to `channels[1]`.
    pub fn new(
        channels: [usize; 2],
        stride: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        Self {
            depthwise: DepthwiseNorm::new(channels[0], stride, device),
            pointwise: ConvNorm::new(channels, 1, 1, false, device),
            activation,
        }
    }

    /// Maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let maps = self.activation.forward(self.depthwise.forward(maps));
        self.activation.forward(self.pointwise.forward(maps))
    }
}

/// A stem, 13 separable blocks, a linear layer on the means of the maps.
#[derive(Module, Debug)]
pub struct MobileNetV1 {
    /// The first convolution.
    pub stem: ConvNorm,
    /// The blocks, in their order.
    pub blocks: Vec<SeparableBlock>,
    /// The classes.
    pub output: Linear,
    #[module(skip)]
    activation: Activation,
}

/// The strides of the blocks.
const STRIDES: [usize; 13] = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1];

impl MobileNetV1 {
    /// The published widths of stem and blocks.
    pub const WIDTHS: [usize; 14] = [
        32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024,
    ];

    /// A network whose stem and blocks have `widths` channels, from `[channels, classes]`.
    ///
    /// # Errors
    /// [`ZooError`] for another number of widths than 14, or where one is 0.
    pub fn new(
        widths: &[usize],
        stem: Stem,
        [channels, classes]: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let network = "MobileNetV1";
        let &[first, .., last] = widths else {
            return Err(wrong(network, widths.len()));
        };
        if widths.len() != STRIDES.len() + 1 {
            return Err(wrong(network, widths.len()));
        }
        check(network, widths, [channels, classes])?;
        let blocks = widths.windows(2).zip(STRIDES).map(|(pair, stride)| {
            SeparableBlock::new([pair[0], pair[1]], stride, activation, device)
        });
        Ok(Self {
            stem: ConvNorm::new([channels, first], 3, stem.stride(), false, device),
            blocks: blocks.collect(),
            output: LinearConfig::new(last, classes).init(device),
            activation,
        })
    }
}

fn wrong(network: &'static str, found: usize) -> ZooError {
    ZooError::Widths {
        network,
        expected: STRIDES.len() + 1,
        found,
    }
}

impl Growable for MobileNetV1 {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = self.activation.forward(self.stem.forward(input));
        let blocks = self.blocks.iter();
        let maps = blocks.fold(stem, |maps, block| block.forward(maps));
        self.output.forward(means(maps))
    }
}
