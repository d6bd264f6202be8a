//! Descriptions of small random networks, and the networks that they describe.

use burgeon_core::SplitBackend;
use burgeon_nn::Samples;
use burgeon_nn::growable::cast;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::build::built;
use crate::net::{Function, Operation, RandomNet};

/// What a block of layers is: of maps or of rows, whichever there are, but for the last four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A layer.
    Plain,
    /// `x + f(x)`.
    Residual,
    /// `x` beside `f(x)`.
    Dense,
    /// `f(x) · g(x)`.
    Gate,
    /// A layer used twice, one time behind the other.
    Twice,
    /// A layer used twice, side by side.
    Branches,
    /// A BatchNorm alone.
    Norm,
    /// Maps, channel by channel.
    Depthwise,
    /// Maps, channels multiplied by a function of their means.
    Excite,
    MaxPool,
    MeanPool,
    /// Rows that become maps, or maps that become rows.
    Reshape,
}

pub const KINDS: [Kind; 12] = [
    Kind::Plain,
    Kind::Residual,
    Kind::Dense,
    Kind::Gate,
    Kind::Twice,
    Kind::Branches,
    Kind::Norm,
    Kind::Depthwise,
    Kind::Excite,
    Kind::MaxPool,
    Kind::MeanPool,
    Kind::Reshape,
];

pub const SMOOTH: [Function; 6] = [
    Function::Tanh,
    Function::Sigmoid,
    Function::Silu,
    Function::Gelu,
    Function::Softplus,
    Function::Gaussian,
];

/// A block of a network.
#[derive(Debug, Clone)]
pub struct Block {
    pub kind: Kind,
    pub width: usize,
    pub function: Function,
    pub bias: bool,
    pub norm: bool,
    /// Whether layers are this project's, where it has them.
    pub fast: bool,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: [usize; 4],
    /// How maps become rows.
    pub rows: Operation,
}

/// A network, and samples for it.
#[derive(Debug, Clone)]
pub struct Description {
    pub seed: u64,
    pub batch: usize,
    pub size: [usize; 2],
    pub blocks: Vec<Block>,
}

pub const INPUTS: usize = 2;
pub const OUTPUTS: usize = 2;

/// Networks of a convolution, up to three blocks and a linear layer.
pub fn descriptions() -> impl Strategy<Value = Description> {
    let first = block().prop_map(|block| Block {
        kind: Kind::Plain,
        width: block.width.max(2),
        ..block
    });
    let blocks = (first, proptest::collection::vec(block(), 0..4));
    (any::<u64>(), 2_usize..5, [4_usize..7, 4..7], blocks).prop_map(
        |(seed, batch, size, (first, rest))| Description {
            seed,
            batch,
            size,
            blocks: std::iter::once(first).chain(rest).collect(),
        },
    )
}

/// [`descriptions`] without kinks and choices.
pub fn smooth_descriptions() -> impl Strategy<Value = Description> {
    descriptions().prop_map(|mut description| {
        for block in &mut description.blocks {
            // Burn's softplus is made of functions with kinks.
            if matches!(block.function, Function::Relu | Function::Softplus) {
                block.function = Function::Tanh;
            }
            if block.kind == Kind::MaxPool {
                block.kind = Kind::MeanPool;
            }
        }
        description
    })
}

fn block() -> impl Strategy<Value = Block> {
    let function = prop_oneof![
        5 => proptest::sample::select(SMOOTH.to_vec()),
        1 => Just(Function::Relu),
    ];
    let width = prop_oneof![1 => Just(1_usize), 6 => 2_usize..5];
    let geometry = (
        [1_usize..4, 1..4],
        [1_usize..3, 1..3],
        [1_usize..3, 1..3],
        [0_usize..3, 0..3, 0..3, 0..3],
    );
    let rows = proptest::sample::select(vec![
        Operation::GlobalMean,
        Operation::Flatten,
        Operation::FlattenLast,
    ]);
    let kind = proptest::sample::select(KINDS.to_vec());
    (kind, width, function, any::<[bool; 3]>(), geometry, rows).prop_map(
        |(kind, width, function, [bias, norm, fast], geometry, rows)| {
            let (kernel, stride, dilation, padding) = geometry;
            Block {
                kind,
                width,
                function,
                bias,
                norm,
                fast,
                kernel,
                stride,
                dilation,
                padding,
                rows,
            }
        },
    )
}

impl Description {
    /// The network in f64 with random weights and statistics.
    pub fn net(&self, backend: &dyn SplitBackend) -> RandomNet {
        let net = built(self, &backend.device().autodiff());
        let rng = ChaCha8Rng::seed_from_u64(self.seed);
        cast(&net, DType::F64).map(&mut Randomiser(rng))
    }

    /// Regression samples in f64.
    pub fn samples(&self, backend: &dyn SplitBackend) -> Samples<Tensor<4>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 1);
        let device = backend.device();
        let [height, width] = self.size;
        let mut draw = |shape: Vec<usize>| {
            let count = shape.iter().product();
            let values: Vec<f64> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
            TensorData::new(values, shape)
        };
        let inputs = draw(vec![self.batch, INPUTS, height, width]);
        let values = draw(vec![self.batch, OUTPUTS]);
        Samples::regression(
            Tensor::from_data(inputs, (&device, DType::F64)),
            Tensor::from_data(values, (&device, DType::F64)),
        )
        .expect("random samples are sound")
    }
}

/// Random weights, and positive statistics of norms.
struct Randomiser(ChaCha8Rng);

impl ModuleMapper for Randomiser {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        // One-dimensional floats include variances, which must be positive. Linear weights are
        // `[in, out]`, those of convolutions `[out, in, ..]`.
        let range = match shape[..] {
            [_] => 0.3..1.3,
            [inputs, _] => spread(inputs),
            _ => spread(shape[1..].iter().product()),
        };
        let count: usize = shape.iter().product();
        let values: Vec<f64> = (0..count)
            .map(|_| self.0.random_range(range.clone()))
            .collect();
        let device = tensor.device().inner();
        let plain = Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64));
        let leaf = Tensor::from_inner(plain).set_require_grad(tensor.is_require_grad());
        Param::from_mapped_value(id, leaf, mapper)
    }
}

fn spread(fan_in: usize) -> std::ops::Range<f64> {
    let bound = 1.6 / (fan_in as f64).sqrt();
    -bound..bound
}
