//! VGG nets with BatchNorm (Simonyan & Zisserman 2015).

use burn::module::Module;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::example;
use super::layers::{ConvNorm, linear};

/// Convolutions of one size, then a max pool.
#[derive(Module, Debug)]
pub struct VggStage {
    pub layers: Vec<ConvNorm>,
    pub pool: MaxPool2d,
}

/// Stages, then a linear layer after dropout; dropout is active in training alone.
#[derive(Module, Debug)]
pub struct Vgg {
    pub stages: Vec<VggStage>,
    pub dropout: Dropout,
    pub head: Linear,
}

impl Vgg {
    /// Stages of `(layers, channels)`, each of which halves the size, down to 1×1; three image
    /// channels.
    pub fn with_stages(stages: &[(usize, usize)], classes: usize, device: &Device) -> Self {
        let mut inputs = 3;
        let mut made = Vec::new();
        for &(depth, channels) in stages {
            let mut layers = Vec::new();
            for _ in 0..depth {
                layers.push(ConvNorm::new([inputs, channels], 3, 1, device));
                inputs = channels;
            }
            let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
            made.push(VggStage { layers, pool });
        }
        Self {
            stages: made,
            dropout: DropoutConfig::new(0.5).init(),
            head: linear(inputs, classes, device),
        }
    }

    /// VGG-11 for 32×32; `width` is 64 in the paper.
    pub fn vgg11(width: usize, classes: usize, device: &Device) -> Self {
        Self::with_stages(&stages([1, 1, 2, 2, 2], width), classes, device)
    }

    /// VGG-19 for 32×32; `width` is 64 in the paper.
    pub fn vgg19(width: usize, classes: usize, device: &Device) -> Self {
        Self::with_stages(&stages([2, 2, 4, 4, 4], width), classes, device)
    }

    /// Outputs `[b, k]` of `[b, 3, s, s]`, where s is two to the number of stages.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h = x;
        for stage in &self.stages {
            for layer in &stage.layers {
                h = relu(layer.forward(h));
            }
            h = stage.pool.forward(h);
        }
        self.head.forward(self.dropout.forward(h.flatten(1, 3)))
    }
}

fn stages(depths: [usize; 5], width: usize) -> [(usize, usize); 5] {
    let mut stages = depths.map(|depth| (depth, 8 * width));
    stages[0].1 = width;
    stages[1].1 = 2 * width;
    stages[2].1 = 4 * width;
    stages
}

example!(Vgg = "vgg", [3, 8, 8] => [4], |device| {
    Vgg::with_stages(&[(1, 3), (1, 4), (2, 5)], 4, device)
});

/// [`Vgg::vgg11`] with two channels.
#[derive(Module, Debug)]
pub struct Vgg11 {
    pub net: Vgg,
}

/// [`Vgg::vgg19`] with two channels.
#[derive(Module, Debug)]
pub struct Vgg19 {
    pub net: Vgg,
}

impl Vgg11 {
    /// Outputs `[b, 10]` of `[b, 3, 32, 32]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.net.forward(x)
    }
}

example!(Vgg11 = "vgg11", [3, 32, 32] => [10], |device| Vgg11 {
    net: Vgg::vgg11(2, 10, device),
});

impl Vgg19 {
    /// Outputs `[b, 10]` of `[b, 3, 32, 32]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.net.forward(x)
    }
}

example!(Vgg19 = "vgg19", [3, 32, 32] => [10], |device| Vgg19 {
    net: Vgg::vgg19(2, 10, device),
});
