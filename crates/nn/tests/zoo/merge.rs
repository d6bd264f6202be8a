//! Branches that meet: concatenated features, two inputs, a layer used twice.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::activation::{gelu, relu, silu};
use burn::tensor::{DType, Device, Tensor};

use super::layers::{batch_norm, conv, global_mean, linear};
use super::{Example, example, normal};

/// Two branches of equal width, read by one head; the answers are added.
#[derive(Module, Debug)]
pub struct SharedHead {
    pub left: Conv2d,
    pub right: Conv2d,
    pub head: Linear,
}

impl SharedHead {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let left = global_mean(silu(self.left.forward(x.clone())));
        let right = global_mean(gelu(self.right.forward(x)));
        self.head.forward(left) + self.head.forward(right)
    }
}

example!(SharedHead = "shared_head", [3, 8, 8] => [3], |device| SharedHead {
    left: conv([3, 5], 3, 2, device),
    right: conv([3, 5], 5, 2, device),
    head: linear(5, 3, device),
});

/// Norm, SiLU and a convolution; its input is kept beside its output.
#[derive(Module, Debug)]
pub struct DenseLayer {
    pub norm: BatchNorm,
    pub conv: Conv2d,
}

impl DenseLayer {
    fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            norm: batch_norm(inputs, device),
            conv: conv([inputs, outputs], 3, 1, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv.forward(silu(self.norm.forward(x.clone())));
        Tensor::cat(vec![x, h], 1)
    }
}

/// A block of DenseNet (Huang et al. 2017): each layer reads all maps before it.
#[derive(Module, Debug)]
pub struct DenseBlock {
    pub stem: Conv2d,
    pub layers: Vec<DenseLayer>,
    pub norm: BatchNorm,
    pub head: Linear,
}

impl DenseBlock {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h = self.stem.forward(x);
        for layer in &self.layers {
            h = layer.forward(h);
        }
        self.head.forward(global_mean(silu(self.norm.forward(h))))
    }
}

example!(DenseBlock = "dense_block", [3, 8, 8] => [3], |device| DenseBlock {
    stem: conv([3, 4], 3, 2, device),
    layers: (0..3)
        .map(|k| DenseLayer::new(4 + 3 * k, 3, device))
        .collect(),
    norm: batch_norm(13, device),
    head: linear(13, 3, device),
});

/// Two feature vectors with a layer each, joined before a linear layer.
#[derive(Module, Debug)]
pub struct TwoInputs {
    pub left: Linear,
    pub right: Linear,
    pub joint: Linear,
    pub head: Linear,
}

impl TwoInputs {
    /// Outputs `[b, 3]` of `[b, 4]` and `[b, 2]`.
    pub fn forward(&self, left: Tensor<2>, right: Tensor<2>) -> Tensor<2> {
        let left = silu(self.left.forward(left));
        let right = gelu(self.right.forward(right));
        let h = Tensor::cat(vec![left, right], 1);
        self.head.forward(silu(self.joint.forward(h)))
    }
}

impl Example for TwoInputs {
    type Input = (Tensor<2>, Tensor<2>);
    type Output = Tensor<2>;
    const NAME: &'static str = "two_inputs";
    const ANSWER: &'static [usize] = &[3];

    fn new(device: &Device) -> Self {
        Self {
            left: linear(4, 5, device),
            right: linear(2, 4, device),
            joint: linear(9, 6, device),
            head: linear(6, 3, device),
        }
    }

    fn predict(&self, (left, right): Self::Input) -> Tensor<2> {
        self.forward(left, right)
    }

    fn input(batch: usize, device: &Device, dtype: DType, seed: u64) -> Self::Input {
        (
            normal(batch, &[4], device, dtype, seed),
            normal(batch, &[2], device, dtype, seed + 1),
        )
    }
}

/// An image's channel means, joined with raw features before a linear layer.
#[derive(Module, Debug)]
pub struct ImageAndFeatures {
    pub conv: Conv2d,
    pub joint: Linear,
    pub head: Linear,
}

impl ImageAndFeatures {
    /// Outputs `[b, 3]` of images `[b, 2, 6, 6]` and features `[b, 4]`.
    pub fn forward(&self, image: Tensor<4>, features: Tensor<2>) -> Tensor<2> {
        let seen = global_mean(relu(self.conv.forward(image)));
        let h = Tensor::cat(vec![seen, features], 1);
        self.head.forward(silu(self.joint.forward(h)))
    }
}

impl Example for ImageAndFeatures {
    type Input = (Tensor<4>, Tensor<2>);
    type Output = Tensor<2>;
    const NAME: &'static str = "image_and_features";
    const ANSWER: &'static [usize] = &[3];

    fn new(device: &Device) -> Self {
        Self {
            conv: conv([2, 5], 3, 2, device),
            joint: linear(9, 6, device),
            head: linear(6, 3, device),
        }
    }

    fn predict(&self, (image, features): Self::Input) -> Tensor<2> {
        self.forward(image, features)
    }

    fn input(batch: usize, device: &Device, dtype: DType, seed: u64) -> Self::Input {
        (
            normal(batch, &[2, 6, 6], device, dtype, seed),
            normal(batch, &[4], device, dtype, seed + 1),
        )
    }
}
