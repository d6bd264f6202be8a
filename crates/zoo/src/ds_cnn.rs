//! The depthwise separable network of keyword spotting (DS-CNN, arXiv 1711.07128).

use burgeon_nn::Growable;
use burgeon_ops::{FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::error::{ZooError, check};
use crate::layers::{half, means};
use crate::mobilenet_v1::SeparableBlock;

/// A 10×4 convolution over time and features, separable blocks, a linear layer on the means.
#[derive(Module, Debug)]
pub struct DsCnn {
    /// The first convolution.
    pub stem: FastConv2d,
    /// Its norm.
    pub norm: FastBatchNorm,
    /// The blocks, in their order.
    pub blocks: Vec<SeparableBlock>,
    /// The classes.
    pub output: Linear,
    #[module(skip)]
    activation: Activation,
}

impl DsCnn {
    /// A network whose stem and blocks have `widths` channels (five times 64 for the small one of
    /// the paper), for maps `[b, 1, time, features]`, with so many classes.
    ///
    /// # Errors
    /// [`ZooError`] with fewer than two widths, or where a number is 0.
    pub fn new(
        widths: &[usize],
        classes: usize,
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let &[first, .., last] = widths else {
            return Err(ZooError::Widths {
                network: "DS-CNN",
                expected: 5,
                found: widths.len(),
            });
        };
        check("DS-CNN", widths, [1, classes])?;
        let kernel = [10, 4];
        let stem = FastConv2dConfig::new([1, first], kernel)
            .with_stride([2, 2])
            .with_padding(half(kernel))
            .with_bias(false);
        let blocks = widths
            .windows(2)
            .map(|pair| SeparableBlock::new([pair[0], pair[1]], 1, activation, device));
        Ok(Self {
            stem: stem.init(device),
            norm: FastBatchNormConfig::new(first).init(device),
            blocks: blocks.collect(),
            output: LinearConfig::new(last, classes).init(device),
            activation,
        })
    }
}

impl Growable for DsCnn {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = self.norm.forward(self.stem.forward(input));
        let blocks = self.blocks.iter();
        let maps = blocks.fold(self.activation.forward(stem), |maps, block| {
            block.forward(maps)
        });
        self.output.forward(means(maps))
    }
}
