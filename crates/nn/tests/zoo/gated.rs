//! Gates: products of two functions of the same features.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu};

use super::example;
use super::layers::{ConvNorm, global_mean, linear};

/// A SwiGLU feed-forward with residual at each position, between linear layers.
#[derive(Module, Debug)]
pub struct GatedUnit {
    pub embed: Linear,
    pub gate: Linear,
    pub up: Linear,
    pub down: Linear,
    pub head: Linear,
}

impl GatedUnit {
    /// Outputs `[b, s, 3]` of `[b, s, 4]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.embed.forward(x);
        let gated = silu(self.gate.forward(x.clone())) * self.up.forward(x.clone());
        self.head.forward(x + self.down.forward(gated))
    }
}

example!(GatedUnit = "gated_unit", [4, 4] => [4, 3], |device| GatedUnit {
    embed: linear(4, 5, device),
    gate: linear(5, 7, device),
    up: linear(5, 7, device),
    down: linear(7, 5, device),
    head: linear(5, 3, device),
});

/// A convolution block whose channels are weighted by a function of their means.
#[derive(Module, Debug)]
pub struct SqueezeExcite {
    pub stem: ConvNorm,
    pub squeeze: Linear,
    pub excite: Linear,
    pub project: ConvNorm,
    pub head: Linear,
}

impl SqueezeExcite {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = silu(self.stem.forward(x));
        let squeezed = silu(self.squeeze.forward(global_mean(h.clone())));
        let gate = sigmoid(self.excite.forward(squeezed));
        let [batch, channels] = gate.dims();
        let h = h * gate.reshape([batch, channels, 1, 1]);
        self.head
            .forward(global_mean(silu(self.project.forward(h))))
    }
}

example!(SqueezeExcite = "squeeze_excite", [3, 8, 8] => [3], |device| SqueezeExcite {
    stem: ConvNorm::new([3, 6], 3, 2, device),
    squeeze: linear(6, 4, device),
    excite: linear(4, 6, device),
    project: ConvNorm::new([6, 5], 1, 1, device),
    head: linear(5, 3, device),
});
