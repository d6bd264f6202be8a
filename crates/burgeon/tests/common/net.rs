//! An MLP on embedded digits.

use burgeon::backend::flex::FLEX;
use burgeon::data::optdigits;
use burgeon::prelude::*;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::silu;

/// Hidden neurons at the start.
pub const START: usize = 4;

#[derive(Module, Debug)]
pub struct Mlp {
    pub hidden: Linear,
    pub output: Linear,
}

impl Mlp {
    pub fn new() -> Self {
        let device = FLEX.device().autodiff();
        Self {
            hidden: LinearConfig::new(64, START).init(&device),
            output: LinearConfig::new(START, 10).init(&device),
        }
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, pixels: Tensor<2>) -> Tensor<2> {
        self.output.forward(silu(self.hidden.forward(pixels)))
    }
}

pub fn digits(count: usize) -> Samples<Tensor<2>> {
    let train = optdigits::load().expect("embedded").train;
    let device = FLEX.device();
    let pixels = TensorData::new(train.pixels[..count * 64].to_vec(), [count, 64]);
    let pixels = Tensor::from_data(pixels, &device);
    Samples::classification(pixels, &train.labels[..count], 10, &device).expect("sound")
}
