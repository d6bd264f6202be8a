//! VGG with batch normalisation (arXiv 1409.1556).

use burgeon_nn::Growable;
use burgeon_ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::error::{ZooError, check};
use crate::layers::{ConvNorm, means};

/// What answers behind the convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VggHead {
    /// One linear layer on the means of the maps, as is usual for 32×32 images.
    Means,
    /// The published three layers, two of them so wide, on maps of so many positions: 4,096 on 49
    /// for 224×224 images. Dropout between them is left out.
    Dense {
        /// Neurons of the two hidden layers.
        width: usize,
        /// Height times width of the last maps.
        positions: usize,
    },
}

/// Five stages of 3×3 convolutions, each of which ends with maps of half the size, and a head.
#[derive(Module, Debug)]
pub struct Vgg {
    /// The convolutions, in their order.
    pub convolutions: Vec<ConvNorm>,
    /// The linear layers.
    pub head: Vec<Linear>,
    pool: FastMaxPool2d,
    #[module(skip)]
    ends: Vec<usize>,
    #[module(skip)]
    means: bool,
    #[module(skip)]
    activation: Activation,
}

impl Vgg {
    /// Convolutions in each stage of VGG-11.
    pub const VGG_11: [usize; 5] = [1, 1, 2, 2, 2];
    /// Convolutions in each stage of VGG-16.
    pub const VGG_16: [usize; 5] = [2, 2, 3, 3, 3];
    /// Convolutions in each stage of VGG-19.
    pub const VGG_19: [usize; 5] = [2, 2, 4, 4, 4];

    /// The published widths of the convolutions in `stages`.
    pub fn widths(stages: [usize; 5]) -> Vec<usize> {
        let widths = stages.into_iter().zip([64, 128, 256, 512, 512]);
        widths
            .flat_map(|(count, width)| vec![width; count])
            .collect()
    }

    /// A network of `stages`, its convolutions of `widths`, from `[channels, classes]`.
    ///
    /// # Errors
    /// [`ZooError`] for another number of widths, or where one is 0.
    pub fn new(
        stages: [usize; 5],
        widths: &[usize],
        head: VggHead,
        [channels, classes]: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let expected: usize = stages.iter().sum();
        let (true, Some(last)) = (widths.len() == expected, widths.last().copied()) else {
            return Err(ZooError::Widths {
                network: "VGG",
                expected,
                found: widths.len(),
            });
        };
        check("VGG", widths, [channels, classes])?;
        let inputs = std::iter::once(&channels).chain(widths);
        let convolutions = inputs
            .zip(widths)
            .map(|(from, to)| ConvNorm::new([*from, *to], 3, 1, true, device));
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let head_layers = match head {
            VggHead::Means => vec![linear(last, classes)],
            VggHead::Dense { width, positions } => {
                check("VGG", &[width, positions], [channels, classes])?;
                vec![
                    linear(last * positions, width),
                    linear(width, width),
                    linear(width, classes),
                ]
            }
        };
        let ends = stages.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Ok(Self {
            convolutions: convolutions.collect(),
            head: head_layers,
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            ends: ends.collect(),
            means: head == VggHead::Means,
            activation,
        })
    }
}

impl Growable for Vgg {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = input;
        for (index, convolution) in self.convolutions.iter().enumerate() {
            maps = self.activation.forward(convolution.forward(maps));
            for _ in self.ends.iter().filter(|end| **end == index + 1) {
                maps = self.pool.forward(maps);
            }
        }
        let mut features = match self.means {
            true => means(maps),
            false => maps.flatten::<2>(1, 3),
        };
        for (index, layer) in self.head.iter().enumerate() {
            features = layer.forward(features);
            if index + 1 < self.head.len() {
                features = self.activation.forward(features);
            }
        }
        features
    }
}
