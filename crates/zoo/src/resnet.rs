//! Residual networks of basic blocks (arXiv 1512.03385).

use burgeon_nn::Growable;
use burgeon_ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::error::{ZooError, check};
use crate::layers::{ConvNorm, Stem, means};

/// Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where the shape changes.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The first convolution, whose channels are the block's own.
    pub first: ConvNorm,
    /// The second.
    pub second: ConvNorm,
    /// Where the shape changes.
    pub shortcut: Option<ConvNorm>,
    #[module(skip)]
    activation: Activation,
}

impl ResidualBlock {
    /// A block of `[in, own, out]` channels.
    pub fn new(
        [inputs, own, outputs]: [usize; 3],
        stride: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let changes = stride != 1 || inputs != outputs;
        let shortcut = || ConvNorm::new([inputs, outputs], 1, stride, false, device);
        Self {
            first: ConvNorm::new([inputs, own], 3, stride, false, device),
            second: ConvNorm::new([own, outputs], 3, 1, false, device),
            shortcut: changes.then(shortcut),
            activation,
        }
    }

    /// Maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(maps.clone()),
            None => maps.clone(),
        };
        let own = self.activation.forward(self.first.forward(maps));
        self.activation.forward(self.second.forward(own) + shortcut)
    }
}

/// A stem, stages of basic blocks, a linear layer on the means of the maps.
#[derive(Module, Debug)]
pub struct ResNet {
    /// The first convolution.
    pub stem: ConvNorm,
    /// All blocks, in their order.
    pub blocks: Vec<ResidualBlock>,
    /// The classes.
    pub output: Linear,
    pool: Option<FastMaxPool2d>,
    #[module(skip)]
    activation: Activation,
}

impl ResNet {
    /// ResNet-20 for 32×32 images: three stages of three blocks of `width` (16 in the paper), two
    /// and four times `width` channels. Shortcuts that change the shape are convolutions here
    /// (option B of the paper; option A, which it takes for small images, has 2,752 parameters
    /// fewer).
    ///
    /// # Errors
    /// [`ZooError::Nothing`] where a number is 0.
    pub fn resnet_20(
        width: usize,
        channels_and_classes: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let widths = [width, 2 * width, 4 * width];
        Self::new(
            &widths,
            3,
            Stem::SmallImages,
            channels_and_classes,
            activation,
            device,
        )
    }

    /// ResNet-18: four stages of two blocks of `width` (64 in the paper) to eight times `width`
    /// channels.
    ///
    /// # Errors
    /// [`ZooError::Nothing`] where a number is 0.
    pub fn resnet_18(
        width: usize,
        stem: Stem,
        channels_and_classes: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let widths = [1, 2, 4, 8].map(|factor| factor * width);
        Self::new(&widths, 2, stem, channels_and_classes, activation, device)
    }

    /// Stages of `widths` channels, so many blocks in each, from `[channels, classes]`. All stages
    /// but the first halve the maps.
    ///
    /// # Errors
    /// [`ZooError`] without a stage, or where a number is 0.
    pub fn new(
        widths: &[usize],
        blocks: usize,
        stem: Stem,
        [channels, classes]: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let [first, .., last] = *[widths, widths].concat() else {
            return Err(ZooError::Widths {
                network: "ResNet",
                expected: 1,
                found: 0,
            });
        };
        check("ResNet", &[widths, &[blocks]].concat(), [channels, classes])?;
        let mut made = Vec::new();
        let mut inputs = first;
        for (stage, &width) in widths.iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let shape = [inputs, width, width];
                made.push(ResidualBlock::new(shape, stride, activation, device));
                inputs = width;
            }
        }
        let (kernel, pool) = match stem {
            Stem::LargeImages => {
                let pool = FastMaxPool2dConfig::new([3, 3])
                    .with_strides([2, 2])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
                (7, Some(pool.init()))
            }
            Stem::SmallImages => (3, None),
        };
        Ok(Self {
            stem: ConvNorm::new([channels, first], kernel, stem.stride(), false, device),
            blocks: made,
            output: LinearConfig::new(last, classes).init(device),
            pool,
            activation,
        })
    }
}

impl Growable for ResNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = self.activation.forward(self.stem.forward(input));
        let stem = match &self.pool {
            Some(pool) => pool.forward(stem),
            None => stem,
        };
        let blocks = self.blocks.iter();
        let maps = blocks.fold(stem, |maps, block| block.forward(maps));
        self.output.forward(means(maps))
    }
}
