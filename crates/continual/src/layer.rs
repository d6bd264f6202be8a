//! Hidden layers, drawn by a seed of their own.

use burgeon_ops::{FastConv2d, FastConv2dConfig, FastMaxPool2d, FastMaxPool2dConfig};
use burn::module::{Module, Param};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::architecture::{Architecture, LayerKind};

/// Features `[b, channels, height, width]` to features; a dense layer answers maps of one place.
#[derive(Module, Debug)]
pub struct HiddenLayer {
    mixing: Mixing,
}

/// What mixes the channels of a hidden layer.
#[derive(Module, Debug)]
enum Mixing {
    Dense(Linear),
    Convolution(Pooled),
}

#[derive(Module, Debug)]
struct Pooled {
    convolution: FastConv2d,
    pool: Option<FastMaxPool2d>,
}

impl HiddenLayer {
    /// Hidden layer `layer` of `architecture` with `width` neurons that read `channels` channels.
    /// Burn draws from one generator for the whole process; this draws from `rng` alone.
    pub(crate) fn new(
        architecture: &Architecture,
        layer: usize,
        [channels, width]: [usize; 2],
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let mixing = match architecture.layers()[layer] {
            LayerKind::Dense => Mixing::Dense(linear(
                channels * architecture.taps(layer),
                width,
                rng,
                device,
            )),
            LayerKind::Convolution { kernel, pool } => {
                let fan_in = channels * kernel * kernel;
                let half = kernel / 2;
                let shape = [width, channels, kernel, kernel];
                let mut convolution = FastConv2dConfig::new([channels, width], [kernel; 2])
                    .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
                    .init(device);
                convolution.weight = uniform(shape, fan_in, rng, device);
                convolution.bias = Some(uniform([width], fan_in, rng, device));
                let pool = (pool > 1).then(|| FastMaxPool2dConfig::new([pool; 2]).init());
                Mixing::Convolution(Pooled { convolution, pool })
            }
        };
        Self { mixing }
    }

    /// Features `[b, width, h', w']` of features `[b, channels, h, w]`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        match &self.mixing {
            Mixing::Dense(linear) => {
                let answers = silu(linear.forward(features.flatten::<2>(1, 3)));
                let [batch, width] = answers.dims();
                answers.reshape([batch, width, 1, 1])
            }
            Mixing::Convolution(layer) => {
                let maps = silu(layer.convolution.forward(features));
                match &layer.pool {
                    Some(pool) => pool.forward(maps),
                    None => maps,
                }
            }
        }
    }

    /// Number of neurons.
    pub fn width(&self) -> usize {
        match &self.mixing {
            Mixing::Dense(linear) => linear.weight.dims()[1],
            Mixing::Convolution(layer) => layer.convolution.weight.dims()[0],
        }
    }

    /// The weights `[fan-in]` by which `neuron` reads all channels, channel by channel, and its
    /// bias.
    pub(crate) fn fan_in(&self, neuron: usize) -> (Vec<f64>, f64) {
        let column = |values: Tensor<1>| values.into_data().iter::<f64>().collect::<Vec<f64>>();
        let (weight, bias) = match &self.mixing {
            Mixing::Dense(linear) => {
                let weight = plain(linear.weight.val()).narrow(1, neuron, 1);
                (weight.flatten::<1>(0, 1), &linear.bias)
            }
            Mixing::Convolution(layer) => {
                let weight = plain(layer.convolution.weight.val()).narrow(0, neuron, 1);
                (weight.flatten::<1>(0, 3), &layer.convolution.bias)
            }
        };
        let bias = bias
            .as_ref()
            .map(|bias| column(plain(bias.val()).narrow(0, neuron, 1)));
        (
            column(weight),
            bias.and_then(|bias| bias.first().copied()).unwrap_or(0.0),
        )
    }

    /// The layer that reads only the channels at `kept`, each of them by `taps` numbers.
    pub(crate) fn reading(self, kept: &[usize], taps: usize) -> Self {
        let mixing = match self.mixing {
            Mixing::Dense(linear) => Mixing::Dense(reading(linear, kept, taps)),
            Mixing::Convolution(layer) => {
                let Pooled {
                    mut convolution,
                    pool,
                } = layer;
                convolution.weight = selected(convolution.weight, 1, kept);
                Mixing::Convolution(Pooled { convolution, pool })
            }
        };
        Self { mixing }
    }
}

/// A linear layer, drawn uniformly within `±1/√inputs`.
pub(crate) fn linear(
    inputs: usize,
    outputs: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Linear {
    Linear {
        weight: uniform([inputs, outputs], inputs, rng, device),
        bias: Some(uniform([outputs], inputs, rng, device)),
    }
}

/// `linear` that reads only the channels at `kept`, each of them by `taps` numbers.
pub(crate) fn reading(mut linear: Linear, kept: &[usize], taps: usize) -> Linear {
    let rows: Vec<usize> = kept
        .iter()
        .flat_map(|channel| channel * taps..(channel + 1) * taps)
        .collect();
    linear.weight = selected(linear.weight, 0, &rows);
    linear
}

fn uniform<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| rng.random_range(-bound..bound))
        .collect();
    Param::from_data(TensorData::new(values, shape), device)
}

/// A new parameter, of the slices of one at `kept`.
fn selected<const D: usize>(
    param: Param<Tensor<D>>,
    axis: usize,
    kept: &[usize],
) -> Param<Tensor<D>> {
    let value = param.val();
    let recorded = value.is_autodiff();
    let value = plain(value);
    let indices = crate::given::indices(kept, &value.device());
    let value = value.select(axis, indices);
    Param::from_tensor(match recorded {
        true => Tensor::from_inner(value),
        false => value,
    })
}

/// Off the graph, if it is on one.
pub(crate) fn plain<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match tensor.is_autodiff() {
        true => tensor.inner(),
        false => tensor,
    }
}
