//! Small networks of our own that studies train.

use burgeon_nn::{Growable, NnError};
use burgeon_ops::{
    FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig, FastMaxPool2d,
    FastMaxPool2dConfig,
};
use burgeon_zoo::{ConvNorm, DepthwiseNorm};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

/// Two hidden layers.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
}

impl Mlp {
    pub fn new(
        inputs: usize,
        widths: &[usize],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [first, second] = two(widths)?;
        Ok(Self {
            hidden1: LinearConfig::new(inputs, first).init(device),
            hidden2: LinearConfig::new(first, second).init(device),
            output: LinearConfig::new(second, classes).init(device),
        })
    }

    /// The L1 norms of the fan-ins of each hidden layer's neurons, by the layer's name.
    pub fn fan_in_norms(&self) -> [(&'static str, Vec<f64>); 2] {
        let layers = [("hidden1", &self.hidden1), ("hidden2", &self.hidden2)];
        layers.map(|(name, layer)| {
            let norms: Tensor<2> = layer.weight.val().inner().abs().sum_dim(0);
            (name, norms.into_data().iter().collect())
        })
    }
}

impl Growable for Mlp {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let features = silu(self.hidden1.forward(input.flatten::<2>(1, 3)));
        self.output.forward(silu(self.hidden2.forward(features)))
    }
}

/// Two 3×3 convolutions, with BatchNorm or without normalisation, max pooling after each, a linear
/// head on what is left of the map.
#[derive(Module, Debug)]
pub(crate) struct ConvNet {
    conv1: FastConv2d,
    norm1: Option<FastBatchNorm>,
    conv2: FastConv2d,
    norm2: Option<FastBatchNorm>,
    pool: FastMaxPool2d,
    output: Linear,
}

impl ConvNet {
    /// `size` is the images' height and width, divisible by 4.
    pub fn new(
        size: usize,
        widths: &[usize],
        classes: usize,
        normalised: bool,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [first, second] = two(widths)?;
        let conv = |channels| {
            FastConv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .with_bias(!normalised)
                .init(device)
        };
        let norm = |channels| normalised.then(|| FastBatchNormConfig::new(channels).init(device));
        let positions = (size / 4) * (size / 4);
        Ok(Self {
            conv1: conv([1, first]),
            norm1: norm(first),
            conv2: conv([first, second]),
            norm2: norm(second),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            output: LinearConfig::new(second * positions, classes).init(device),
        })
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let layers = [(&self.conv1, &self.norm1), (&self.conv2, &self.norm2)];
        let maps = layers.into_iter().fold(input, |maps, (conv, norm)| {
            let maps = conv.forward(maps);
            let maps = match norm {
                Some(norm) => norm.forward(maps),
                None => maps,
            };
            self.pool.forward(silu(maps))
        });
        self.output.forward(maps.flatten::<2>(1, 3))
    }
}

/// A stem and three blocks of a depthwise and a pointwise convolution, mean pooling, a linear head.
#[derive(Module, Debug)]
pub(crate) struct SmallMobileNet {
    stem: ConvNorm,
    depthwise: Vec<DepthwiseNorm>,
    pointwise: Vec<ConvNorm>,
    output: Linear,
}

impl SmallMobileNet {
    /// How many widths, and strides, it has.
    pub const WIDTHS: usize = 4;

    /// Of stem and blocks, from `[channels, classes]`.
    pub fn new(
        widths: &[usize],
        strides: &[usize],
        [channels, classes]: [usize; 2],
        device: &Device,
    ) -> Result<Self, NnError> {
        let numbers = [widths.len(), strides.len()];
        let ([stem, .., last], true) = (widths, numbers == [Self::WIDTHS; 2]) else {
            return Err(NnError::Settings(format!(
                "the small MobileNet has four widths and four strides, not {} and {}",
                widths.len(),
                strides.len()
            )));
        };
        let blocks = widths.windows(2).zip(&strides[1..]);
        let (depthwise, pointwise) = blocks
            .map(|(pair, stride)| {
                (
                    DepthwiseNorm::new(pair[0], *stride, device),
                    ConvNorm::new([pair[0], pair[1]], 1, 1, false, device),
                )
            })
            .unzip();
        Ok(Self {
            stem: ConvNorm::new([channels, *stem], 3, strides[0], false, device),
            depthwise,
            pointwise,
            output: LinearConfig::new(*last, classes).init(device),
        })
    }
}

impl Growable for SmallMobileNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = silu(self.stem.forward(input));
        for (depthwise, pointwise) in self.depthwise.iter().zip(&self.pointwise) {
            maps = silu(depthwise.forward(maps));
            maps = silu(pointwise.forward(maps));
        }
        let means = maps.mean_dim(3).mean_dim(2);
        self.output.forward(means.flatten(1, 3))
    }
}

fn two(widths: &[usize]) -> Result<[usize; 2], NnError> {
    <[usize; 2]>::try_from(widths).map_err(|_| {
        NnError::Settings(format!(
            "the network has two hidden layers, not {}: {widths:?}",
            widths.len()
        ))
    })
}
