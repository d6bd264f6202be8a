//! LSTM cells of linear layers, run over time by hand.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Tensor};

use super::layers::linear;
use super::{example, variants};

const INPUTS: usize = 4;
const HIDDEN: usize = 5;
const OUTPUTS: usize = 3;

/// One gate's view of the input and of the last hidden state.
#[derive(Module, Debug)]
pub struct Gate {
    pub input: Linear,
    pub hidden: Linear,
}

impl Gate {
    fn new(device: &Device) -> Self {
        Self {
            input: linear(INPUTS, HIDDEN, device),
            hidden: linear(HIDDEN, HIDDEN, device),
        }
    }

    fn forward(&self, x: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
        self.input.forward(x) + self.hidden.forward(h)
    }
}

/// Four gates of their own; the last hidden state is read by a linear layer.
#[derive(Module, Debug)]
pub struct LstmCell {
    pub keep: Gate,
    pub write: Gate,
    pub candidate: Gate,
    pub output: Gate,
    pub head: Linear,
}

impl LstmCell {
    /// Outputs `[b, 3]` of `[b, t, 4]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let width = self.keep.hidden.weight.dims()[0];
        let (mut h, mut c) = (state(&x, width), state(&x, width));
        for t in 0..x.dims()[1] {
            let now: Tensor<2> = x.clone().narrow(1, t, 1).squeeze_dim(1);
            let keep = sigmoid(self.keep.forward(now.clone(), h.clone()));
            let write = sigmoid(self.write.forward(now.clone(), h.clone()));
            let candidate = tanh(self.candidate.forward(now.clone(), h.clone()));
            let output = sigmoid(self.output.forward(now, h));
            c = keep * c + write * candidate;
            h = output * tanh(c.clone());
        }
        self.head.forward(h)
    }
}

example!(LstmCell = "lstm_cell", [3, INPUTS] => [OUTPUTS], |device| LstmCell {
    keep: Gate::new(device),
    write: Gate::new(device),
    candidate: Gate::new(device),
    output: Gate::new(device),
    head: linear(HIDDEN, OUTPUTS, device),
});

/// How the gates are taken from one linear layer's outputs.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Chunk,
    Slice,
}

/// All gates from one linear layer of the input and one of the hidden state.
#[derive(Module, Debug)]
pub struct FusedLstmCell {
    /// `[f, 4h]`.
    pub input: Linear,
    /// `[h, 4h]`.
    pub hidden: Linear,
    pub head: Linear,
    #[module(skip)]
    pub cut: Cut,
}

impl FusedLstmCell {
    fn with(cut: Cut, device: &Device) -> Self {
        Self {
            input: linear(INPUTS, 4 * HIDDEN, device),
            hidden: linear(HIDDEN, 4 * HIDDEN, device),
            head: linear(HIDDEN, OUTPUTS, device),
            cut,
        }
    }

    /// Outputs `[b, 3]` of `[b, t, 4]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let width = self.hidden.weight.dims()[0];
        let (mut h, mut c) = (state(&x, width), state(&x, width));
        for t in 0..x.dims()[1] {
            let now = x.clone().narrow(1, t, 1).squeeze_dim(1);
            let gates = self.input.forward(now) + self.hidden.forward(h);
            let [keep, write, candidate, output] = self.split(gates);
            c = sigmoid(keep) * c + sigmoid(write) * tanh(candidate);
            h = sigmoid(output) * tanh(c.clone());
        }
        self.head.forward(h)
    }

    fn split(&self, gates: Tensor<2>) -> [Tensor<2>; 4] {
        match self.cut {
            Cut::Chunk => gates.chunk(4, 1).try_into().expect("four chunks"),
            Cut::Slice => {
                let [batch, width] = gates.dims();
                let h = width / 4;
                [0, 1, 2, 3].map(|k| gates.clone().slice([0..batch, k * h..(k + 1) * h]))
            }
        }
    }
}

example!(FusedLstmCell = "fused_lstm_cell", [3, INPUTS] => [OUTPUTS], |device| {
    FusedLstmCell::with(Cut::Chunk, device)
});
variants! { FusedLstmCell:
    SlicedLstmCell = "sliced_lstm_cell", |device| FusedLstmCell::with(Cut::Slice, device);
}

/// The state `[b, h]` before the first step.
fn state(x: &Tensor<3>, width: usize) -> Tensor<2> {
    Tensor::zeros([x.dims()[0], width], (&x.device(), x.dtype()))
}
