//! Ordinary Burn models that run whatever program they are given.

use burgeon_nn::Growable;
use burgeon_ops::{DepthwiseConv2d, FastBatchNorm, FastConv2d};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Tensor, activation};

/// A layer with parameters: Burn's and this project's.
#[derive(Module, Debug)]
pub enum Layer {
    Linear(Linear),
    Conv(Conv2d),
    FastConv(FastConv2d),
    Depthwise(DepthwiseConv2d),
    Norm(BatchNorm),
    FastNorm(FastBatchNorm),
}

/// A pointwise function of Burn's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Tanh,
    Sigmoid,
    Silu,
    Gelu,
    Softplus,
    /// `exp(−x²/2)`.
    Gaussian,
    Relu,
}

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The layer of this number.
    Layer(usize),
    Apply(Function),
    /// Over windows of 2×2 by steps of 1.
    MaxPool,
    /// Over windows of 2×2 by steps of 1.
    MeanPool,
    /// Maps as one number a channel.
    GlobalMean,
    /// Maps as rows, channel by channel.
    Flatten,
    /// Maps as rows, place by place.
    FlattenLast,
    /// Rows as maps of this side.
    Maps(usize),
    Add,
    /// Of two of the same shape, or of maps with one number a channel.
    Multiply,
    Concatenate,
}

/// A step of a program: an operation on earlier values, of which number 0 is the input and
/// number `k + 1` is what step `k` made.
#[derive(Debug, Clone)]
pub struct Step {
    pub operation: Operation,
    pub from: Vec<usize>,
}

/// A model whose forward pass is its program.
#[derive(Module, Debug)]
pub struct RandomNet {
    pub layers: Vec<Layer>,
    #[module(skip)]
    pub program: Vec<Step>,
}

/// A value of a program.
#[derive(Debug, Clone)]
pub enum Value {
    Rows(Tensor<2>),
    Maps(Tensor<4>),
}

impl Value {
    /// All numbers of each sample.
    pub fn flat(&self) -> Tensor<2> {
        match self.clone() {
            Self::Rows(rows) => rows,
            Self::Maps(maps) => maps.flatten(1, 3),
        }
    }

    /// `flat` in the shape of this one.
    pub fn shaped(&self, flat: Tensor<2>) -> Self {
        match self {
            Self::Rows(_) => Self::Rows(flat),
            Self::Maps(maps) => Self::Maps(flat.reshape(maps.dims())),
        }
    }

    fn maps(self) -> Tensor<4> {
        match self {
            Self::Maps(maps) => maps,
            Self::Rows(_) => panic!("a program works on maps where there are maps"),
        }
    }

    fn rows(self) -> Tensor<2> {
        match self {
            Self::Rows(rows) => rows,
            Self::Maps(_) => panic!("a program works on rows where there are rows"),
        }
    }

    fn map(
        self,
        rows: impl Fn(Tensor<2>) -> Tensor<2>,
        maps: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> Self {
        match self {
            Self::Rows(x) => Self::Rows(rows(x)),
            Self::Maps(x) => Self::Maps(maps(x)),
        }
    }
}

/// What looks at a program as it runs, and may change its values.
pub trait Instrument {
    /// The value that layer step number `step` reads, instead of `value`.
    fn read(&mut self, _step: usize, value: Value) -> Value {
        value
    }
}

/// Looks away.
struct Nothing;

impl Instrument for Nothing {}

impl RandomNet {
    /// Runs the program.
    pub fn run(&self, input: Tensor<4>, instrument: &mut dyn Instrument) -> Tensor<2> {
        let mut values = vec![Value::Maps(input)];
        for (number, step) in self.program.iter().enumerate() {
            let mut read = step.from.iter().map(|&from| values[from].clone());
            let mut next = || read.next().expect("a program has its operands");
            let x = next();
            let made = match step.operation {
                Operation::Layer(layer) => {
                    let x = instrument.read(number, x);
                    self.layers[layer].forward(x)
                }
                Operation::Apply(function) => {
                    x.map(|rows| function.of(rows), |maps| function.of(maps))
                }
                Operation::MaxPool => {
                    let maps = x.maps();
                    let pool = MaxPool2dConfig::new([2, 2]).with_strides([1, 1]).init();
                    Value::Maps(pool.forward(maps))
                }
                Operation::MeanPool => {
                    let maps = x.maps();
                    let pool = AvgPool2dConfig::new([2, 2]).with_strides([1, 1]).init();
                    Value::Maps(pool.forward(maps))
                }
                Operation::GlobalMean => {
                    let means: Tensor<2> = x.maps().mean_dims(&[2, 3]).flatten(1, 3);
                    Value::Rows(means)
                }
                Operation::Flatten => Value::Rows(x.maps().flatten(1, 3)),
                Operation::FlattenLast => {
                    let last = x.maps().permute([0, 2, 3, 1]);
                    Value::Rows(last.flatten(1, 3))
                }
                Operation::Maps(side) => {
                    let rows = x.rows();
                    let [batch, numbers] = rows.dims();
                    Value::Maps(rows.reshape([batch, numbers / (side * side), side, side]))
                }
                Operation::Add => match (x, next()) {
                    (Value::Rows(a), Value::Rows(b)) => Value::Rows(a + b),
                    (a, b) => Value::Maps(a.maps() + b.maps()),
                },
                Operation::Multiply => match (x, next()) {
                    (Value::Rows(a), Value::Rows(b)) => Value::Rows(a * b),
                    (Value::Maps(maps), Value::Rows(factors)) => {
                        let [batch, channels] = factors.dims();
                        Value::Maps(maps * factors.reshape([batch, channels, 1, 1]))
                    }
                    (a, b) => Value::Maps(a.maps() * b.maps()),
                },
                Operation::Concatenate => match (x, next()) {
                    (Value::Rows(a), Value::Rows(b)) => Value::Rows(Tensor::cat(vec![a, b], 1)),
                    (a, b) => Value::Maps(Tensor::cat(vec![a.maps(), b.maps()], 1)),
                },
            };
            values.push(made);
        }
        values.pop().expect("a program has steps").rows()
    }
}

impl Growable for RandomNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        self.run(input, &mut Nothing)
    }
}

impl Layer {
    fn forward(&self, x: Value) -> Value {
        match self {
            Self::Linear(linear) => Value::Rows(linear.forward(x.rows())),
            Self::Conv(conv) => Value::Maps(conv.forward(x.maps())),
            Self::FastConv(conv) => Value::Maps(conv.forward(x.maps())),
            Self::Depthwise(conv) => Value::Maps(conv.forward(x.maps())),
            Self::Norm(norm) => x.map(|rows| norm.forward(rows), |maps| norm.forward(maps)),
            Self::FastNorm(norm) => x.map(|rows| norm.forward(rows), |maps| norm.forward(maps)),
        }
    }
}

impl Function {
    fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => activation::tanh(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Silu => activation::silu(x),
            Self::Gelu => activation::gelu(x),
            Self::Softplus => activation::softplus(x, 1.0),
            Self::Gaussian => x.square().mul_scalar(-0.5).exp(),
            Self::Relu => activation::relu(x),
        }
    }
}
