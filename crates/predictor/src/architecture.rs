//! The networks that are grown.

use burgeon::ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burgeon::prelude::Growable;
use burgeon_exchange::PlainNetwork;
use burgeon_run::{Function, Step};
use burgeon_zoo::ConvNorm;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::layers::NetworkFile;

/// Which network is grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Linear layers with ReLU, on all numbers of an input.
    Mlp,
    /// 3×3 convolutions with BatchNorm and ReLU, each but the last followed by 2×2 max pooling as
    /// long as the maps allow it, and a linear layer on the means of the maps.
    Cnn,
    /// The layers that a file lists ([`FitSettings::network`](crate::FitSettings::network)).
    Layers,
}

impl Kind {
    /// Its name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
            Self::Layers => "layers",
        }
    }
}

/// What a network is made by.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub kind: Kind,
    /// Of one input.
    pub shape: Vec<usize>,
    pub outputs: usize,
    /// Of the hidden layers; a file's layers have their own.
    pub widths: Vec<usize>,
    pub file: Option<NetworkFile>,
}

impl Form {
    /// Weights of the linear layers and convolutions, counted before any is made; what does not fit
    /// into a number is as many as a number can be.
    pub fn weights(&self) -> u64 {
        let product = |sizes: &[usize]| {
            let sizes = sizes.iter().map(|size| *size as u64);
            sizes.fold(1, u64::saturating_mul)
        };
        let chain = |first: usize, taps: usize| {
            let inputs = std::iter::once(first).chain(self.widths.iter().copied());
            let pairs = inputs.zip(&self.widths);
            let hidden = pairs.map(|(inputs, outputs)| product(&[inputs, *outputs, taps]));
            let last = self.widths.last().copied().unwrap_or(first);
            hidden.fold(product(&[last, self.outputs]), u64::saturating_add)
        };
        match (self.kind, &self.file) {
            (Kind::Cnn, _) => chain(self.shape.first().copied().unwrap_or(1), 9),
            (Kind::Layers, Some(file)) => file.weights(&self.shape, self.outputs),
            _ => {
                let inputs = usize::try_from(product(&self.shape)).unwrap_or(usize::MAX);
                chain(inputs, 1)
            }
        }
    }
}

/// A network of hidden layers and an output.
pub(crate) trait Architecture: Growable<Output = Tensor<2>> {
    /// A network of this form.
    fn new(form: &Form, device: &Device) -> Self;

    /// Inputs `[n, …]` on `device`.
    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Self::Input;

    /// What it computes of inputs of `shape`, with its weights' paths and sizes.
    fn steps(&self, shape: &[usize]) -> Vec<Step>;

    /// What a file of such a network calls the layer of a path.
    fn name_in(plain: &PlainNetwork, path: &str) -> String;
}

/// The number behind the first dot of a path.
fn number(path: &str) -> usize {
    let number = path.split('.').nth(1).map(str::parse);
    number.and_then(Result::ok).unwrap_or_default()
}

/// The step of a linear layer.
pub(crate) fn linear(path: &str, layer: &Linear) -> Step {
    let [inputs, outputs] = layer.weight.dims();
    Step::Linear {
        layer: path.to_owned(),
        inputs,
        outputs,
    }
}

/// Rows `[n, d]` of inputs of `shape`.
pub(crate) fn rows(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<2> {
    let size: usize = shape.iter().product();
    let rows = values.len() / size.max(1);
    Tensor::from_data(TensorData::new(values, [rows, size]), device)
}

/// Maps `[n, c, h, w]` of inputs of `shape`.
pub(crate) fn maps(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
    let [channels, height, width] = [0, 1, 2].map(|axis| shape.get(axis).copied().unwrap_or(1));
    let rows = values.len() / (channels * height * width).max(1);
    let data = TensorData::new(values, [rows, channels, height, width]);
    Tensor::from_data(data, device)
}

const RELU: Step = Step::Activation {
    function: Function::Relu,
};

/// See [`Kind::Mlp`].
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    hidden: Vec<Linear>,
    output: Linear,
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.iter();
        let features = hidden.fold(input, |x, layer| relu(layer.forward(x)));
        self.output.forward(features)
    }
}

impl Architecture for Mlp {
    fn new(form: &Form, device: &Device) -> Self {
        let mut from = form.shape.iter().product();
        let mut layer = |width: usize| {
            let layer = LinearConfig::new(from, width).init(device);
            from = width;
            layer
        };
        Self {
            hidden: form.widths.iter().map(|width| layer(*width)).collect(),
            output: layer(form.outputs),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<2> {
        rows(values, shape, device)
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        let mut steps = Vec::new();
        if shape.len() > 1 {
            steps.push(Step::Flatten);
        }
        for (index, layer) in self.hidden.iter().enumerate() {
            steps.extend([linear(&format!("hidden.{index}"), layer), RELU]);
        }
        steps.push(linear("output", &self.output));
        steps
    }

    fn name_in(plain: &PlainNetwork, path: &str) -> String {
        let PlainNetwork::Mlp { layers, .. } = plain else {
            return path.to_owned();
        };
        let found = match path {
            "output" => layers.last(),
            hidden => layers.get(number(hidden)),
        };
        found.cloned().unwrap_or_default()
    }
}

/// See [`Kind::Cnn`].
#[derive(Module, Debug)]
pub(crate) struct Cnn {
    convolutions: Vec<ConvNorm>,
    output: Linear,
    pool: FastMaxPool2d,
}

impl Cnn {
    /// Whether the maps behind a convolution, so many positions high or wide, are halved.
    fn pools_behind(&self, convolution: usize, size: usize) -> bool {
        convolution + 1 < self.convolutions.len() && size >= 4
    }
}

impl Growable for Cnn {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = input;
        for (index, convolution) in self.convolutions.iter().enumerate() {
            maps = relu(convolution.forward(maps));
            let [.., height, width] = maps.dims();
            if self.pools_behind(index, height.min(width)) {
                maps = self.pool.forward(maps);
            }
        }
        let features = maps.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        self.output.forward(features)
    }
}

impl Architecture for Cnn {
    fn new(form: &Form, device: &Device) -> Self {
        let mut from = form.shape.first().copied().unwrap_or(1);
        let convolutions = form.widths.iter().map(|&width| {
            let layer = ConvNorm::new([from, width], 3, 1, false, device);
            from = width;
            layer
        });
        Self {
            convolutions: convolutions.collect(),
            output: LinearConfig::new(from, form.outputs).init(device),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
        maps(values, shape, device)
    }

    fn steps(&self, shape: &[usize]) -> Vec<Step> {
        let mut size = shape.iter().skip(1).copied().min().unwrap_or(1);
        let mut steps = Vec::new();
        for (index, layer) in self.convolutions.iter().enumerate() {
            let [outputs, inputs, kernel, _] = layer.conv.weight.dims();
            steps.push(Step::Convolution {
                layer: format!("convolutions.{index}.conv"),
                inputs,
                outputs,
                kernel,
                stride: 1,
                groups: 1,
                bias: false,
            });
            steps.push(Step::Norm {
                layer: format!("convolutions.{index}.norm"),
                channels: outputs,
                epsilon: layer.norm.epsilon,
            });
            steps.push(RELU);
            if self.pools_behind(index, size) {
                steps.push(Step::MaxPool { size: 2 });
                size /= 2;
            }
        }
        steps.push(Step::GlobalMean);
        steps.push(linear("output", &self.output));
        steps
    }

    fn name_in(plain: &PlainNetwork, path: &str) -> String {
        let PlainNetwork::Cnn {
            convolutions,
            output,
            ..
        } = plain
        else {
            return path.to_owned();
        };
        if path == "output" {
            return output.clone();
        }
        let found = convolutions.get(number(path));
        let which = usize::from(path.ends_with("norm"));
        found.map(|pair| pair[which].clone()).unwrap_or_default()
    }
}
