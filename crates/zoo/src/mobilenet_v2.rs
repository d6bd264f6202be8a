//! MobileNetV2 (arXiv 1801.04381).

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::error::{ZooError, check};
use crate::layers::{ConvNorm, DepthwiseNorm, Stem, means};

/// Expand, filter each channel, project; a residual where the shape stays.
#[derive(Module, Debug)]
pub struct InvertedResidual {
    /// Left out where nothing is expanded.
    pub expand: Option<ConvNorm>,
    /// Each channel by itself.
    pub depthwise: DepthwiseNorm,
    /// The linear bottleneck, which no activation follows.
    pub project: ConvNorm,
    #[module(skip)]
    is_residual: bool,
    #[module(skip)]
    activation: Activation,
}

impl InvertedResidual {
    /// A block of `[in, hidden, out]` channels, without a layer that expands where hidden channels
    /// are those of the input.
    pub fn new(
        [inputs, hidden, outputs]: [usize; 3],
        stride: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let expand = || ConvNorm::new([inputs, hidden], 1, 1, false, device);
        Self {
            expand: (hidden != inputs).then(expand),
            depthwise: DepthwiseNorm::new(hidden, stride, device),
            project: ConvNorm::new([hidden, outputs], 1, 1, false, device),
            is_residual: stride == 1 && inputs == outputs,
            activation,
        }
    }

    /// Maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let hidden = match &self.expand {
            Some(expand) => self.activation.forward(expand.forward(maps.clone())),
            None => maps.clone(),
        };
        let hidden = self.activation.forward(self.depthwise.forward(hidden));
        let projected = self.project.forward(hidden);
        match self.is_residual {
            true => projected + maps,
            false => projected,
        }
    }
}

/// Blocks of the same width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Hidden channels, in channels of a block's input.
    pub expansion: usize,
    /// Channels between blocks.
    pub width: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Stride of the first one.
    pub stride: usize,
}

impl Stage {
    const fn new(expansion: usize, width: usize, blocks: usize, stride: usize) -> Self {
        Self {
            expansion,
            width,
            blocks,
            stride,
        }
    }
}

/// A stem, inverted residuals, a pointwise convolution, a linear layer on the means of the maps.
#[derive(Module, Debug)]
pub struct MobileNetV2 {
    /// The first convolution.
    pub stem: ConvNorm,
    /// The blocks, in their order.
    pub blocks: Vec<InvertedResidual>,
    /// The last convolution.
    pub last: ConvNorm,
    /// The classes.
    pub output: Linear,
    #[module(skip)]
    activation: Activation,
}

impl MobileNetV2 {
    /// The published stages (table 2).
    pub const STAGES: [Stage; 7] = [
        Stage::new(1, 16, 1, 1),
        Stage::new(6, 24, 2, 2),
        Stage::new(6, 32, 3, 2),
        Stage::new(6, 64, 4, 2),
        Stage::new(6, 96, 3, 1),
        Stage::new(6, 160, 3, 2),
        Stage::new(6, 320, 1, 1),
    ];

    /// A network of `stages` between a first and a last convolution of `ends` channels (32 and
    /// 1,280 in the paper), from `[channels, classes]`. For small images the first stage that
    /// halves the maps keeps them too.
    ///
    /// # Errors
    /// [`ZooError::Nothing`] where a number is 0.
    pub fn new(
        ends: [usize; 2],
        stages: &[Stage],
        stem: Stem,
        [channels, classes]: [usize; 2],
        activation: Activation,
        device: &Device,
    ) -> Result<Self, ZooError> {
        let numbers = stages
            .iter()
            .flat_map(|stage| [stage.expansion, stage.width, stage.blocks, stage.stride]);
        let numbers: Vec<usize> = ends.into_iter().chain(numbers).collect();
        check("MobileNetV2", &numbers, [channels, classes])?;
        let mut blocks = Vec::new();
        let mut inputs = ends[0];
        let mut halves = stem == Stem::LargeImages;
        for stage in stages {
            let stride = match stage.stride {
                stride if halves || stride == 1 => stride,
                _ => {
                    halves = true;
                    1
                }
            };
            for block in 0..stage.blocks {
                let stride = if block == 0 { stride } else { 1 };
                let shape = [inputs, stage.expansion * inputs, stage.width];
                blocks.push(InvertedResidual::new(shape, stride, activation, device));
                inputs = stage.width;
            }
        }
        Ok(Self {
            stem: ConvNorm::new([channels, ends[0]], 3, stem.stride(), false, device),
            blocks,
            last: ConvNorm::new([inputs, ends[1]], 1, 1, false, device),
            output: LinearConfig::new(ends[1], classes).init(device),
            activation,
        })
    }
}

impl Growable for MobileNetV2 {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = self.activation.forward(self.stem.forward(input));
        let blocks = self.blocks.iter();
        let maps = blocks.fold(stem, |maps, block| block.forward(maps));
        let maps = self.activation.forward(self.last.forward(maps));
        self.output.forward(means(maps))
    }
}
