//! Pointwise functions, and a model that has any of them.

use burn::module::Module;
use burn::nn::{Linear, PRelu, PReluConfig};
use burn::tensor::{Device, Tensor, activation};

use super::layers::linear;
use super::{example, variants};

/// A choice of pointwise function.
#[derive(Clone, Copy, Debug)]
pub enum Activation {
    Relu,
    Relu6,
    Tanh,
    Silu,
    Gelu,
    GeluApproximate,
    LeakyRelu,
    Elu,
    Selu,
    HardSwish,
    Mish,
    Softplus,
    /// `x²·exp(−x²)`, made of Burn's operations.
    Bump,
    /// The radial basis function `exp(−x²/2)`.
    Gaussian,
}

impl Activation {
    /// The function of each value.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::Relu6 => activation::relu6(x),
            Self::Tanh => activation::tanh(x),
            Self::Silu => activation::silu(x),
            Self::Gelu => activation::gelu(x),
            Self::GeluApproximate => activation::gelu_approximate(x),
            Self::LeakyRelu => activation::leaky_relu(x, 0.1),
            Self::Elu => activation::elu(x, 1.0),
            Self::Selu => activation::selu(x),
            Self::HardSwish => activation::hard_swish(x),
            Self::Mish => activation::mish(x),
            Self::Softplus => activation::softplus(x, 1.0),
            Self::Bump => {
                let square = x.clone() * x;
                square.clone() * square.neg().exp()
            }
            Self::Gaussian => x.square().mul_scalar(-0.5).exp(),
        }
    }
}

/// Two linear layers with a chosen activation between.
#[derive(Module, Debug)]
pub struct Activated {
    pub a: Linear,
    pub b: Linear,
    #[module(skip)]
    pub activation: Activation,
}

impl Activated {
    /// Five inputs, six hidden neurons, three outputs.
    pub fn with(activation: Activation, device: &Device) -> Self {
        Self {
            a: linear(5, 6, device),
            b: linear(6, 3, device),
            activation,
        }
    }

    /// Outputs `[b, 3]` of `[b, 5]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.b.forward(self.activation.forward(self.a.forward(x)))
    }
}

example!(Activated = "activated", [5] => [3], |device| Activated::with(Activation::Silu, device));
variants! { Activated:
    ActivatedLeakyRelu = "activated_leaky_relu", |d| Activated::with(Activation::LeakyRelu, d);
    ActivatedElu = "activated_elu", |d| Activated::with(Activation::Elu, d);
    ActivatedSelu = "activated_selu", |d| Activated::with(Activation::Selu, d);
    ActivatedHardSwish = "activated_hard_swish", |d| Activated::with(Activation::HardSwish, d);
    ActivatedMish = "activated_mish", |d| Activated::with(Activation::Mish, d);
    ActivatedSoftplus = "activated_softplus", |d| Activated::with(Activation::Softplus, d);
    ActivatedGeluApproximate = "activated_gelu_approximate",
        |d| Activated::with(Activation::GeluApproximate, d);
    ActivatedBump = "activated_bump", |d| Activated::with(Activation::Bump, d);
    ActivatedGaussian = "activated_gaussian", |d| Activated::with(Activation::Gaussian, d);
}

/// Two linear layers with a PReLU of one slope a neuron between.
#[derive(Module, Debug)]
pub struct ActivatedPRelu {
    pub a: Linear,
    pub prelu: PRelu,
    pub b: Linear,
}

impl ActivatedPRelu {
    /// Outputs `[b, 3]` of `[b, 5]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.b.forward(self.prelu.forward(self.a.forward(x)))
    }
}

example!(ActivatedPRelu = "activated_prelu", [5] => [3], |device| ActivatedPRelu {
    a: linear(5, 6, device),
    prelu: PReluConfig::new().with_num_parameters(6).init(device),
    b: linear(6, 3, device),
});
