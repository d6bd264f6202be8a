//! The networks that are grown.

use burgeon::ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burgeon::prelude::Growable;
use burgeon_exchange::{PlainNetwork, Sequential, SequentialLayer};
use burgeon_zoo::ConvNorm;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Which network is grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Linear layers with ReLU, on all numbers of an input.
    Mlp,
    /// 3×3 convolutions with BatchNorm and ReLU, each but the last followed by 2×2 max pooling as
    /// long as the maps allow it, and a linear layer on the means of the maps.
    Cnn,
}

/// A network of hidden layers and an output.
pub(crate) trait Architecture: Growable<Output = Tensor<2>> {
    /// A network whose hidden layers are of `widths`, from inputs of `shape` to `outputs`.
    fn new(shape: &[usize], outputs: usize, widths: &[usize], device: &Device) -> Self;

    /// Inputs `[n, …]` on `device`.
    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Self::Input;

    /// What it computes, as PyTorch would have it.
    fn sequential(&self, shape: &[usize]) -> Sequential;

    /// What a file of such a network calls the layer of a path.
    fn name_in(plain: &PlainNetwork, path: &str) -> String;
}

/// The number behind the first dot of a path.
fn number(path: &str) -> usize {
    let number = path.split('.').nth(1).map(str::parse);
    number.and_then(Result::ok).unwrap_or_default()
}

/// A linear layer.
fn linear(path: &str, layer: &Linear) -> SequentialLayer {
    let [inputs, outputs] = layer.weight.dims();
    SequentialLayer::Linear {
        path: path.to_owned(),
        inputs,
        outputs,
    }
}

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
    fn new(shape: &[usize], outputs: usize, widths: &[usize], device: &Device) -> Self {
        let mut from = shape.iter().product();
        let mut layer = |width: usize| {
            let layer = LinearConfig::new(from, width).init(device);
            from = width;
            layer
        };
        Self {
            hidden: widths.iter().map(|width| layer(*width)).collect(),
            output: layer(outputs),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<2> {
        let size: usize = shape.iter().product();
        let rows = values.len() / size.max(1);
        Tensor::from_data(TensorData::new(values, [rows, size]), device)
    }

    fn sequential(&self, shape: &[usize]) -> Sequential {
        let mut layers = Vec::new();
        if shape.len() > 1 {
            layers.push(SequentialLayer::Flatten);
        }
        for (index, layer) in self.hidden.iter().enumerate() {
            layers.push(linear(&format!("hidden.{index}"), layer));
            layers.push(SequentialLayer::Relu);
        }
        layers.push(linear("output", &self.output));
        Sequential::new(layers)
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
    fn new(shape: &[usize], outputs: usize, widths: &[usize], device: &Device) -> Self {
        let channels = shape.first().copied().unwrap_or(1);
        let mut from = channels;
        let convolutions = widths.iter().map(|&width| {
            let layer = ConvNorm::new([from, width], 3, 1, false, device);
            from = width;
            layer
        });
        Self {
            convolutions: convolutions.collect(),
            output: LinearConfig::new(from, outputs).init(device),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
        let [channels, height, width] = [0, 1, 2].map(|axis| shape.get(axis).copied().unwrap_or(1));
        let rows = values.len() / (channels * height * width).max(1);
        let data = TensorData::new(values, [rows, channels, height, width]);
        Tensor::from_data(data, device)
    }

    fn sequential(&self, shape: &[usize]) -> Sequential {
        let mut size = shape.iter().skip(1).copied().min().unwrap_or(1);
        let mut layers = Vec::new();
        for (index, layer) in self.convolutions.iter().enumerate() {
            let [outputs, inputs, kernel, _] = layer.conv.weight.dims();
            layers.push(SequentialLayer::Convolution {
                path: format!("convolutions.{index}.conv"),
                inputs,
                outputs,
                kernel,
            });
            layers.push(SequentialLayer::BatchNorm {
                path: format!("convolutions.{index}.norm"),
                channels: outputs,
            });
            layers.push(SequentialLayer::Relu);
            if self.pools_behind(index, size) {
                layers.push(SequentialLayer::MaxPool);
                size /= 2;
            }
        }
        layers.push(SequentialLayer::GlobalMean);
        layers.push(SequentialLayer::Flatten);
        layers.push(linear("output", &self.output));
        Sequential::new(layers)
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
