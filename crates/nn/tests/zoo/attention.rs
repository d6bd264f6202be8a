//! Self-attention of plain linear layers.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, softmax};

use super::example;
use super::layers::linear;

/// A transformer layer written by hand, with norms after the sums.
#[derive(Module, Debug)]
pub struct Attention {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub output: Linear,
    pub norm1: LayerNorm,
    pub wide: Linear,
    pub narrow: Linear,
    pub norm2: LayerNorm,
    pub head: Linear,
    pub heads: usize,
}

impl Attention {
    /// Outputs `[b, 3]` of sequences `[b, s, 6]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let x = self.norm1.forward(x.clone() + self.attend(x));
        let h = self.narrow.forward(gelu(self.wide.forward(x.clone())));
        let x = self.norm2.forward(x + h);
        self.head.forward(x.mean_dim(1).squeeze_dim(1))
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let query = self.split(self.query.forward(x.clone()));
        let key = self.split(self.key.forward(x.clone()));
        let value = self.split(self.value.forward(x));
        let scale = ((width / self.heads) as f64).sqrt();
        let scores = query.matmul(key.swap_dims(2, 3)).div_scalar(scale);
        let context = softmax(scores, 3).matmul(value).swap_dims(1, 2);
        self.output.forward(context.reshape([batch, length, width]))
    }

    /// `[b, s, d]` as `[b, heads, s, d / heads]`.
    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, length, width] = x.dims();
        x.reshape([batch, length, self.heads, width / self.heads])
            .swap_dims(1, 2)
    }
}

example!(Attention = "attention", [4, 6] => [3], |device| Attention {
    query: linear(6, 6, device),
    key: linear(6, 6, device),
    value: linear(6, 6, device),
    output: linear(6, 6, device),
    norm1: LayerNormConfig::new(6).init(device),
    wide: linear(6, 8, device),
    narrow: linear(8, 6, device),
    norm2: LayerNormConfig::new(6).init(device),
    head: linear(6, 3, device),
    heads: 2,
});
