//! Plain layers with initial weights of a generator of one's own: Burn's is one for the whole
//! process.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What follows a layer, and how its weights begin for it: signals keep their size if their variance
/// is that of the inputs that count times this (He et al.; LeCun).
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// A ReLU, which halves it.
    Relu,
    /// Anything else.
    Other,
}

/// A linear layer whose weights are uniform, of mean 0 and variance 2/fan or 1/fan, and whose biases
/// are 0. `fan` is how many inputs are not 0: of one-hot inputs few are.
pub(super) fn linear(
    [inputs, outputs]: [usize; 2],
    fan: usize,
    before: Before,
    bias: bool,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Linear {
    let variance = match before {
        Before::Relu => 2.0,
        Before::Other => 1.0,
    } / fan.max(1) as f32;
    let bound = (3.0 * variance).sqrt();
    let weights = (0..inputs * outputs).map(|_| rng.random_range(-bound..bound));
    let weights = TensorData::new(weights.collect::<Vec<f32>>(), [inputs, outputs]);
    let mut layer = LinearConfig::new(inputs, outputs)
        .with_bias(bias)
        .init(device);
    layer.weight = Param::from_tensor(Tensor::from_data(weights, device));
    if bias {
        layer.bias = Some(Param::from_tensor(Tensor::zeros([outputs], device)));
    }
    layer
}

/// An LSTM of linear layers, so that its units grow like other neurons. Gates stand side by side:
/// input, forget, cell, output.
#[derive(Module, Debug)]
pub struct LstmCell {
    /// `[inputs, 4h]`, with bias.
    pub input: Linear,
    /// `[h, 4h]`, without.
    pub hidden: Linear,
}

impl LstmCell {
    /// `hidden` units that read `inputs` numbers. Their forget gates begin open.
    pub(super) fn new(inputs: usize, hidden: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let wide = 4 * hidden;
        // A gate sums over both layers.
        let fan = inputs + hidden;
        let mut input = linear([inputs, wide], fan, Before::Other, true, rng, device);
        let open = (0..wide).map(|unit| f32::from(u8::from(unit / hidden == 1)));
        let open = TensorData::new(open.collect::<Vec<_>>(), [wide]);
        input.bias = Some(Param::from_tensor(Tensor::from_data(open, device)));
        Self {
            input,
            hidden: linear([hidden, wide], fan, Before::Other, false, rng, device),
        }
    }

    /// Units.
    pub fn width(&self) -> usize {
        self.hidden.weight.dims()[0]
    }

    /// The next state `([b, h], [b, h])` of hidden values and cells, for inputs `[b, inputs]`.
    pub fn step(
        &self,
        input: Tensor<2>,
        hidden: Tensor<2>,
        cells: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let gates = self.input.forward(input) + self.hidden.forward(hidden);
        let width = self.width();
        let gate = |index: usize| gates.clone().narrow(1, index * width, width);
        let kept = sigmoid(gate(1)) * cells;
        let cells = kept + sigmoid(gate(0)) * tanh(gate(2));
        (sigmoid(gate(3)) * tanh(cells.clone()), cells)
    }
}
