//! The networks that are timed: ordinary models.

use burgeon_nn::Growable;
use burgeon_ops::{
    FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig, FastMaxPool2d,
    FastMaxPool2dConfig,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// An MLP with one hidden layer.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Mlp {
    /// A network of widths `[inputs, neurons]` and 10 outputs.
    pub fn new([inputs, neurons]: [usize; 2], device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(inputs, neurons).init(device),
            output: LinearConfig::new(neurons, 10).init(device),
        }
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(input)))
    }
}

/// A convolution that pads by half its odd kernel, with a BatchNorm or a bias.
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    conv: FastConv2d,
    norm: Option<FastBatchNorm>,
}

impl Convolution {
    /// From `channels[0]` to `channels[1]`.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        norm: bool,
        device: &Device,
    ) -> Self {
        let pad = kernel / 2;
        let conv = FastConv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(!norm);
        Self {
            conv: conv.init(device),
            norm: norm.then(|| FastBatchNormConfig::new(channels[1]).init(device)),
        }
    }

    /// Maps `[b, out, h', w']` of `[b, in, h, w]`.
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let maps = self.conv.forward(maps);
        match &self.norm {
            Some(norm) => norm.forward(maps),
            None => maps,
        }
    }
}

/// Means `[b, c]` over the positions of maps `[b, c, h, w]`.
pub(crate) fn means(maps: Tensor<4>) -> Tensor<2> {
    let positions: Tensor<3> = maps.flatten(2, 3);
    positions.mean_dim(2).flatten(1, 2)
}

/// 3×3 convolutions, mean pooling, a linear layer to 10 outputs.
#[derive(Module, Debug)]
pub struct ConvNet {
    convolutions: Vec<Convolution>,
    pool: FastMaxPool2d,
    output: Linear,
    /// After which of the convolutions maps are halved.
    #[module(skip)]
    halved: Vec<bool>,
}

impl ConvNet {
    /// Convolutions of `channels`, input first.
    pub fn new(channels: &[usize], halved: &[bool], norm: bool, device: &Device) -> Self {
        let convolutions = channels
            .windows(2)
            .map(|pair| Convolution::new([pair[0], pair[1]], 3, 1, norm, device));
        let last = channels.last().copied().unwrap_or(0);
        Self {
            convolutions: convolutions.collect(),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            output: LinearConfig::new(last, 10).init(device),
            halved: halved.to_vec(),
        }
    }

    /// Two convolutions on small maps.
    pub fn two(channels: [usize; 3], device: &Device) -> Self {
        Self::new(&channels, &[false; 2], false, device)
    }

    /// 3-16-32-64 with batch normalisation, maps halved twice.
    pub fn small(device: &Device) -> Self {
        Self::new(&[3, 16, 32, 64], &[true, true, false], true, device)
    }

    /// VGG-11 with batch normalisation for 32×32 images, its first layer `width` wide.
    pub fn vgg_11(width: usize, device: &Device) -> Self {
        Self::vgg([1, 1, 2, 2, 2], width, device)
    }

    /// VGG-19, as [`vgg_11`](Self::vgg_11).
    pub fn vgg_19(width: usize, device: &Device) -> Self {
        Self::vgg([2, 2, 4, 4, 4], width, device)
    }

    /// Five stages of so many convolutions, each of which ends with maps of half the size.
    fn vgg(depths: [usize; 5], width: usize, device: &Device) -> Self {
        let (mut channels, mut halved) = (vec![3], Vec::new());
        for (depth, factor) in depths.into_iter().zip([1, 2, 4, 8, 8]) {
            channels.extend(vec![factor * width; depth]);
            halved.extend((1..=depth).map(|layer| layer == depth));
        }
        Self::new(&channels, &halved, true, device)
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = input;
        for (convolution, halved) in self.convolutions.iter().zip(&self.halved) {
            maps = relu(convolution.forward(maps));
            if *halved {
                maps = self.pool.forward(maps);
            }
        }
        self.output.forward(means(maps))
    }
}
