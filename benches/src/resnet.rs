//! ResNet-20 for 32×32 images (arXiv 1512.03385), with projections where the shape changes.

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::nets::{Convolution, means};

/// Two 3×3 convolutions beside a shortcut.
#[derive(Module, Debug)]
struct Block {
    first: Convolution,
    second: Convolution,
    shortcut: Option<Convolution>,
}

impl Block {
    fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let [inputs, outputs] = channels;
        let changes = stride != 1 || inputs != outputs;
        Self {
            first: Convolution::new(channels, 3, stride, true, device),
            second: Convolution::new([outputs; 2], 3, 1, true, device),
            shortcut: changes.then(|| Convolution::new(channels, 1, stride, true, device)),
        }
    }

    fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(maps.clone()),
            None => maps.clone(),
        };
        let maps = self.second.forward(relu(self.first.forward(maps)));
        relu(maps + shortcut)
    }
}

/// A stem, three stages of three blocks, mean pooling, a linear layer to 10 outputs.
#[derive(Module, Debug)]
pub struct ResNet20 {
    stem: Convolution,
    blocks: Vec<Block>,
    output: Linear,
}

impl ResNet20 {
    /// The first stage has `width` channels, 16 in the paper, the others two and four times as
    /// many.
    pub fn new(width: usize, device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (factor, stride) in [(1, 1), (2, 2), (4, 2)] {
            for block in 0..3 {
                let stride = if block == 0 { stride } else { 1 };
                blocks.push(Block::new([inputs, factor * width], stride, device));
                inputs = factor * width;
            }
        }
        Self {
            stem: Convolution::new([3, width], 3, 1, true, device),
            blocks,
            output: LinearConfig::new(inputs, 10).init(device),
        }
    }
}

impl Growable for ResNet20 {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = relu(self.stem.forward(input));
        let maps = self
            .blocks
            .iter()
            .fold(stem, |maps, block| block.forward(maps));
        self.output.forward(means(maps))
    }
}
