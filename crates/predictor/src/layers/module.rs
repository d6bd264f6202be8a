//! A network of listed layers as a Burn module.

use burgeon::ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig, FastMaxPool2d, FastMaxPool2dConfig,
};
use burgeon::prelude::Growable;
use burgeon_exchange::PlainNetwork;
use burgeon_run::{Function, Step};
use burn::module::Module;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{gelu, relu, silu, tanh};
use burn::tensor::{Device, Tensor};

use super::file::{NetworkFile, Reading};
use super::layer::Layer;
use crate::architecture::{Architecture, Form, linear, maps, rows};

/// The layers of a file, those of each kind together, and the output.
#[derive(Module, Debug)]
pub(crate) struct Layers {
    linear: Vec<Linear>,
    convolutions: Vec<FastConv2d>,
    depthwise: Vec<DepthwiseConv2d>,
    norms: Vec<FastBatchNorm>,
    dropouts: Vec<Dropout>,
    max_pools: Vec<FastMaxPool2d>,
    mean_pools: Vec<AvgPool2d>,
    output: Linear,
    #[module(skip)]
    file: NetworkFile,
}

/// What is between layers.
#[derive(Debug, Clone)]
enum Value {
    Row(Tensor<2>),
    Maps(Tensor<4>),
}

impl Value {
    fn row(self) -> Tensor<2> {
        match self {
            Self::Row(row) => row,
            Self::Maps(maps) => maps.flatten(1, 3),
        }
    }

    /// Maps; the file is checked, so that a layer that reads maps has some.
    fn maps(self) -> Tensor<4> {
        match self {
            Self::Maps(maps) => maps,
            Self::Row(row) => row.unsqueeze_dims(&[-1, -1]),
        }
    }

    fn means(self) -> Tensor<2> {
        match self {
            Self::Row(row) => row,
            Self::Maps(maps) => maps.mean_dim(3).mean_dim(2).flatten(1, 3),
        }
    }

    fn map(
        self,
        rows: impl Fn(Tensor<2>) -> Tensor<2>,
        maps: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> Self {
        match self {
            Self::Row(row) => Self::Row(rows(row)),
            Self::Maps(own) => Self::Maps(maps(own)),
        }
    }
}

impl Layers {
    fn new(form: &Form, device: &Device) -> Self {
        let file = form.file.clone().unwrap_or_default();
        let readings = file.readings(&form.shape).unwrap_or_default();
        let mut layers = Self {
            linear: Vec::new(),
            convolutions: Vec::new(),
            depthwise: Vec::new(),
            norms: Vec::new(),
            dropouts: Vec::new(),
            max_pools: Vec::new(),
            mean_pools: Vec::new(),
            output: LinearConfig::new(1, 1).init(device),
            file: file.clone(),
        };
        for (layer, reads) in file.layers().iter().zip(&readings) {
            let half = |kernel: usize| {
                PaddingConfig2d::Explicit(kernel / 2, kernel / 2, kernel / 2, kernel / 2)
            };
            match *layer {
                Layer::Linear { width } => {
                    let config = LinearConfig::new(reads.numbers(), width);
                    layers.linear.push(config.init(device));
                }
                Layer::Conv {
                    width,
                    kernel,
                    stride,
                } => {
                    let config = FastConv2dConfig::new([reads.channels(), width], [kernel; 2])
                        .with_stride([stride; 2])
                        .with_padding(half(kernel));
                    layers.convolutions.push(config.init(device));
                }
                Layer::Depthwise { kernel, stride } => {
                    let config = DepthwiseConv2dConfig::new(reads.channels(), [kernel; 2])
                        .with_stride([stride; 2])
                        .with_padding(half(kernel));
                    layers.depthwise.push(config.init(device));
                }
                Layer::Norm => {
                    let config = FastBatchNormConfig::new(reads.channels());
                    layers.norms.push(config.init(device));
                }
                Layer::Dropout { rate } => layers.dropouts.push(DropoutConfig::new(rate).init()),
                Layer::MaxPool { size } => {
                    let config = FastMaxPool2dConfig::new([size; 2]).with_strides([size; 2]);
                    layers.max_pools.push(config.init());
                }
                Layer::MeanPool { size } => {
                    let config = AvgPool2dConfig::new([size; 2]).with_strides([size; 2]);
                    layers.mean_pools.push(config.init());
                }
                Layer::Activation { .. } | Layer::GlobalMean | Layer::Residual { .. } => {}
            }
        }
        let last = readings.last().map_or(1, |last| last.channels());
        layers.output = LinearConfig::new(last, form.outputs).init(device);
        layers
    }

    fn forward(&self, input: Value) -> Tensor<2> {
        let mut value = input;
        let mut given: Vec<Value> = Vec::new();
        let (mut linear, mut convolutions) = (self.linear.iter(), self.convolutions.iter());
        let (mut depthwise, mut norms) = (self.depthwise.iter(), self.norms.iter());
        let mut dropouts = self.dropouts.iter();
        let (mut max_pools, mut mean_pools) = (self.max_pools.iter(), self.mean_pools.iter());
        for layer in self.file.layers() {
            value = match layer {
                Layer::Linear { .. } => match linear.next() {
                    Some(layer) => Value::Row(layer.forward(value.row())),
                    None => value,
                },
                Layer::Conv { .. } => match convolutions.next() {
                    Some(layer) => Value::Maps(layer.forward(value.maps())),
                    None => value,
                },
                Layer::Depthwise { .. } => match depthwise.next() {
                    Some(layer) => Value::Maps(layer.forward(value.maps())),
                    None => value,
                },
                Layer::Norm => match norms.next() {
                    Some(norm) => value.map(|row| norm.forward(row), |maps| norm.forward(maps)),
                    None => value,
                },
                Layer::Dropout { .. } => match dropouts.next() {
                    Some(layer) => value.map(|row| layer.forward(row), |maps| layer.forward(maps)),
                    None => value,
                },
                Layer::MaxPool { .. } => match max_pools.next() {
                    Some(pool) => Value::Maps(pool.forward(value.maps())),
                    None => value,
                },
                Layer::MeanPool { .. } => match mean_pools.next() {
                    Some(pool) => Value::Maps(pool.forward(value.maps())),
                    None => value,
                },
                Layer::Activation { function } => {
                    value.map(|row| apply(*function, row), |maps| apply(*function, maps))
                }
                Layer::GlobalMean => Value::Row(value.means()),
                Layer::Residual { layer } => match (value, given[*layer].clone()) {
                    (Value::Row(own), Value::Row(other)) => Value::Row(own + other),
                    (own, other) => Value::Maps(own.maps() + other.maps()),
                },
            };
            given.push(value.clone());
        }
        self.output.forward(value.means())
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        let readings = self.file.readings(shape).unwrap_or_default();
        let mut is_row = matches!(Reading::of(shape), Reading::Row(_));
        let mut steps = Vec::new();
        // The number of the step that each layer ends with.
        let mut ends = Vec::new();
        let mut counts = [0_usize; 4];
        let mut next = |which: usize, name: &str| {
            counts[which] += 1;
            (counts[which] - 1, format!("{name}.{}", counts[which] - 1))
        };
        for (layer, reads) in self.file.layers().iter().zip(&readings) {
            match layer {
                Layer::Linear { .. } => {
                    if !is_row {
                        steps.push(Step::Flatten);
                    }
                    is_row = true;
                    let (number, path) = next(0, "layers.linear");
                    steps.push(linear(&path, &self.linear[number]));
                }
                Layer::Conv { .. } => {
                    let (number, path) = next(1, "layers.convolutions");
                    let layer = &self.convolutions[number];
                    let [outputs, inputs, kernel, _] = layer.weight.dims();
                    steps.push(Step::Convolution {
                        layer: path,
                        inputs,
                        outputs,
                        kernel,
                        stride: layer.stride[0],
                        groups: 1,
                        bias: layer.bias.is_some(),
                    });
                }
                Layer::Depthwise { .. } => {
                    let (number, path) = next(2, "layers.depthwise");
                    let layer = &self.depthwise[number];
                    let [channels, _, kernel, _] = layer.weight.dims();
                    steps.push(Step::Convolution {
                        layer: path,
                        inputs: channels,
                        outputs: channels,
                        kernel,
                        stride: layer.stride[0],
                        groups: channels,
                        bias: layer.bias.is_some(),
                    });
                }
                Layer::Norm => {
                    let (number, path) = next(3, "layers.norms");
                    let norm = &self.norms[number];
                    steps.push(Step::Norm {
                        layer: path,
                        channels: norm.gamma.dims()[0],
                        epsilon: norm.epsilon,
                    });
                }
                Layer::Activation { function } => steps.push(Step::Activation {
                    function: *function,
                }),
                Layer::MaxPool { size } => steps.push(Step::MaxPool { size: *size }),
                Layer::MeanPool { size } => steps.push(Step::MeanPool { size: *size }),
                Layer::GlobalMean => {
                    if matches!(reads, Reading::Maps(_)) {
                        steps.push(Step::GlobalMean);
                    }
                    is_row = true;
                }
                Layer::Residual { layer } => steps.push(Step::Add { step: ends[*layer] }),
                // It does nothing but in training.
                Layer::Dropout { .. } => {}
            }
            ends.push(steps.len().saturating_sub(1));
        }
        if !is_row {
            steps.push(Step::GlobalMean);
        }
        steps.push(linear("layers.output", &self.output));
        steps
    }
}

fn apply<const D: usize>(function: Function, input: Tensor<D>) -> Tensor<D> {
    match function {
        Function::Relu => relu(input),
        Function::Relu6 => input.clamp(0.0, 6.0),
        Function::Silu => silu(input),
        Function::Gelu => gelu(input),
        Function::Tanh => tanh(input),
    }
}

/// Layers that read rows of a table.
#[derive(Module, Debug)]
pub(crate) struct RowsNetwork {
    layers: Layers,
}

/// Layers that read images.
#[derive(Module, Debug)]
pub(crate) struct MapsNetwork {
    layers: Layers,
}

impl Growable for RowsNetwork {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.layers.forward(Value::Row(input))
    }
}

impl Growable for MapsNetwork {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        self.layers.forward(Value::Maps(input))
    }
}

impl Architecture for RowsNetwork {
    fn new(form: &Form, device: &Device) -> Self {
        Self {
            layers: Layers::new(form, device),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<2> {
        rows(values, shape, device)
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        self.layers.steps(shape)
    }

    fn name_in(_: &PlainNetwork, path: &str) -> String {
        path.to_owned()
    }
}

impl Architecture for MapsNetwork {
    fn new(form: &Form, device: &Device) -> Self {
        Self {
            layers: Layers::new(form, device),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
        maps(values, shape, device)
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        self.layers.steps(shape)
    }

    fn name_in(_: &PlainNetwork, path: &str) -> String {
        path.to_owned()
    }
}
