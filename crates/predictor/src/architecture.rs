//! The networks that are grown.

use burgeon::ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burgeon::prelude::Growable;
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

/// A network whose hidden layers are all of one width at first.
pub(crate) trait Architecture: Growable<Output = Tensor<2>> {
    /// A network of `layers` hidden layers of `width`, from inputs of `shape` to `outputs`.
    fn new(shape: &[usize], outputs: usize, layers: usize, width: usize, device: &Device) -> Self;

    /// Inputs `[n, …]` on `device`.
    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Self::Input;
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
    fn new(shape: &[usize], outputs: usize, layers: usize, width: usize, device: &Device) -> Self {
        let inputs = shape.iter().product();
        let from = |layer: usize| if layer == 0 { inputs } else { width };
        Self {
            hidden: (0..layers)
                .map(|layer| LinearConfig::new(from(layer), width).init(device))
                .collect(),
            output: LinearConfig::new(from(layers), outputs).init(device),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<2> {
        let size: usize = shape.iter().product();
        let rows = values.len() / size.max(1);
        Tensor::from_data(TensorData::new(values, [rows, size]), device)
    }
}

/// See [`Kind::Cnn`].
#[derive(Module, Debug)]
pub(crate) struct Cnn {
    convolutions: Vec<ConvNorm>,
    output: Linear,
    pool: FastMaxPool2d,
}

impl Growable for Cnn {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = input;
        for (index, convolution) in self.convolutions.iter().enumerate() {
            maps = relu(convolution.forward(maps));
            let [.., height, width] = maps.dims();
            if index + 1 < self.convolutions.len() && height.min(width) >= 4 {
                maps = self.pool.forward(maps);
            }
        }
        let features = maps.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        self.output.forward(features)
    }
}

impl Architecture for Cnn {
    fn new(shape: &[usize], outputs: usize, layers: usize, width: usize, device: &Device) -> Self {
        let channels = shape.first().copied().unwrap_or(1);
        let from = |layer: usize| if layer == 0 { channels } else { width };
        Self {
            convolutions: (0..layers)
                .map(|layer| ConvNorm::new([from(layer), width], 3, 1, false, device))
                .collect(),
            output: LinearConfig::new(from(layers), outputs).init(device),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
        }
    }

    fn inputs(values: Vec<f32>, shape: &[usize], device: &Device) -> Tensor<4> {
        let [channels, height, width] = [0, 1, 2].map(|axis| shape.get(axis).copied().unwrap_or(1));
        let rows = values.len() / (channels * height * width).max(1);
        let data = TensorData::new(values, [rows, channels, height, width]);
        Tensor::from_data(data, device)
    }
}
