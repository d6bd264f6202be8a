//! Nets of linear layers, and between linear layers and maps.

use burn::module::Module;
use burn::nn::conv::{Conv2d, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, Linear};
use burn::tensor::activation::{gelu, relu, silu, tanh};
use burn::tensor::{Device, Tensor};

use super::activation::Activation;
use super::layers::{batch_norm, conv, global_mean, linear};
use super::{example, variants};

/// Two hidden layers.
#[derive(Module, Debug)]
pub struct Mlp {
    pub fc1: Linear,
    pub fc2: Linear,
    pub fc3: Linear,
    #[module(skip)]
    pub activation: Activation,
}

impl Mlp {
    /// Inputs, two hidden widths, outputs.
    pub fn with(widths: [usize; 4], activation: Activation, device: &Device) -> Self {
        Self {
            fc1: linear(widths[0], widths[1], device),
            fc2: linear(widths[1], widths[2], device),
            fc3: linear(widths[2], widths[3], device),
            activation,
        }
    }

    /// Outputs `[b, k]` of `[b, f]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = self.activation.forward(self.fc1.forward(x));
        let h = self.activation.forward(self.fc2.forward(h));
        self.fc3.forward(h)
    }
}

const WIDTHS: [usize; 4] = [6, 7, 5, 4];

example!(Mlp = "mlp", [6] => [4], |device| Mlp::with(WIDTHS, Activation::Gelu, device));
variants! { Mlp:
    MlpRelu = "mlp_relu", |device| Mlp::with(WIDTHS, Activation::Relu, device);
    MlpTanh = "mlp_tanh", |device| Mlp::with(WIDTHS, Activation::Tanh, device);
}

/// A hidden layer with BatchNorm.
#[derive(Module, Debug)]
pub struct MlpBatchNorm {
    pub fc1: Linear,
    pub norm: BatchNorm,
    pub fc2: Linear,
}

impl MlpBatchNorm {
    /// Outputs `[b, 3]` of `[b, 5]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.fc2
            .forward(silu(self.norm.forward(self.fc1.forward(x))))
    }
}

example!(MlpBatchNorm = "mlp_batch_norm", [5] => [3], |device| MlpBatchNorm {
    fc1: linear(5, 6, device),
    norm: batch_norm(6, device),
    fc2: linear(6, 3, device),
});

/// A convolution whose flattened maps go through a BatchNorm of features.
#[derive(Module, Debug)]
pub struct ConvFlatNorm {
    pub conv: Conv2d,
    pub norm: BatchNorm,
    pub head: Linear,
}

impl ConvFlatNorm {
    /// Outputs `[b, 3]` of `[b, 2, 6, 6]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h: Tensor<2> = self.conv.forward(x).flatten(1, 3);
        self.head.forward(relu(self.norm.forward(h)))
    }
}

example!(ConvFlatNorm = "conv_flat_norm", [2, 6, 6] => [3], |device| ConvFlatNorm {
    conv: conv([2, 4], 3, 2, device),
    norm: batch_norm(4 * 9, device),
    head: linear(4 * 9, 3, device),
});

/// A linear layer whose outputs become maps that are convolved.
#[derive(Module, Debug)]
pub struct LinearToConv {
    pub fc: Linear,
    pub norm: BatchNorm,
    pub conv: Conv2d,
    pub head: Linear,
}

impl LinearToConv {
    /// Outputs `[b, 3]` of `[b, 5]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = gelu(self.norm.forward(to_maps(self.fc.forward(x))));
        self.head.forward(global_mean(silu(self.conv.forward(h))))
    }
}

example!(LinearToConv = "linear_to_conv", [5] => [3], |device| LinearToConv {
    fc: linear(5, 4 * 16, device),
    norm: batch_norm(4, device),
    conv: conv([4, 6], 3, 1, device),
    head: linear(6, 3, device),
});

/// An image generator: a linear layer, maps, a transposed convolution to twice the size.
#[derive(Module, Debug)]
pub struct Generator {
    pub fc: Linear,
    pub up: ConvTranspose2d,
    pub norm: BatchNorm,
    pub image: Conv2d,
}

impl Generator {
    /// Images `[b, 2, 8, 8]` of codes `[b, 5]`.
    pub fn forward(&self, code: Tensor<2>) -> Tensor<4> {
        let h = silu(to_maps(self.fc.forward(code)));
        let h = silu(self.norm.forward(self.up.forward(h)));
        tanh(self.image.forward(h))
    }
}

example!(Generator = "generator", [5] => [2, 8, 8], |device| Generator {
    fc: linear(5, 4 * 16, device),
    up: ConvTranspose2dConfig::new([4, 6], [4, 4])
        .with_stride([2, 2])
        .with_padding([1, 1])
        .init(device),
    norm: batch_norm(6, device),
    image: conv([6, 2], 3, 1, device),
});

/// Features `[b, c·16]` as maps `[b, c, 4, 4]`.
fn to_maps(features: Tensor<2>) -> Tensor<4> {
    let [batch, count] = features.dims();
    features.reshape([batch, count / 16, 4, 4])
}
