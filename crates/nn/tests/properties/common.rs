//! Random networks for the property tests.

use burgeon_core::criterion::Candidate;
use burgeon_core::{Activation, Plan, Scheme, SplitBackend, WeightBound};
use burgeon_nn::growable::cast;
use burgeon_nn::{
    Growable, GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d,
    GrowableDepthwiseConv2dConfig, GrowableLinear, GrowableLinearConfig, NnError, Samples,
    Topology,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{DType, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub const SMOOTH: [Activation; 6] = [
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Silu,
    Activation::Gelu,
    Activation::Rbf,
    Activation::Softplus { beta: 1.0 },
];

/// Every layer kind and every consumer kind: convolution with norm, a plain
/// BatchNorm on the way, depthwise, a branch read by two consumers, flattening,
/// linear with and without norm, plain consumers.
#[derive(Module, Debug)]
pub struct Net {
    pub conv1: GrowableConv2d,
    pub after: BatchNorm,
    pub depthwise: GrowableDepthwiseConv2d,
    pub conv2: GrowableConv2d,
    pub skip: Conv2d,
    pub linear1: GrowableLinear,
    pub linear2: GrowableLinear,
    pub output: Linear,
    pub positions: usize,
}

#[derive(Debug, Clone)]
pub struct Shape {
    pub seed: u64,
    pub batch: usize,
    pub size: [usize; 2],
    pub channels: [usize; 3],
    pub neurons: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: PaddingConfig2d,
    pub dilation: [usize; 2],
    pub bias: bool,
    pub norm: bool,
    pub activation: Activation,
}

impl Net {
    /// A network in f64 whose weights and statistics are random by `shape.seed`.
    pub fn new(shape: &Shape, backend: &dyn SplitBackend) -> Result<Self, NnError> {
        let device = backend.device().autodiff();
        let [c0, c1, c2] = shape.channels;
        let conv1 = GrowableConv2dConfig::new([c0, c1], shape.kernel)
            .with_stride(shape.stride)
            .with_dilation(shape.dilation)
            .with_padding(shape.padding.clone())
            .with_bias(shape.bias)
            .with_norm(shape.norm)
            .with_activation(shape.activation);
        let depthwise = GrowableDepthwiseConv2dConfig::new(c1, [3, 3])
            .with_bias(!shape.bias)
            .with_norm(shape.norm)
            .with_activation(shape.activation);
        let conv2 = GrowableConv2dConfig::new([c1, c2], [3, 3])
            .with_bias(shape.bias)
            .with_norm(!shape.norm)
            .with_activation(shape.activation);
        let conv1 = conv1.init(&device)?;
        let probe = Tensor::<4>::zeros([1, c0, shape.size[0], shape.size[1]], &device);
        let [_, _, height, width] = conv1.forward(probe).dims();
        let positions = height * width;
        let [n1, n2] = shape.neurons;
        let linear = |inputs, neurons, norm| {
            GrowableLinearConfig::new(inputs, neurons)
                .with_activation(shape.activation)
                .with_bias(shape.bias)
                .with_norm(norm)
                .init(&device)
        };
        let net = Self {
            conv1,
            after: BatchNormConfig::new(c1).init(&device),
            depthwise: depthwise.init(&device)?,
            conv2: conv2.init(&device)?,
            skip: Conv2dConfig::new([c1, 2], [1, 1]).init(&device),
            linear1: linear(c2 * positions, n1, shape.norm)?,
            linear2: linear(n1, n2, false)?,
            output: LinearConfig::new(n2, 2).init(&device),
            positions,
        };
        let mut randomiser = Randomiser {
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
        };
        Ok(cast(&net, DType::F64).map(&mut randomiser))
    }
}

/// Random weights, and positive statistics of norms.
struct Randomiser {
    rng: ChaCha8Rng,
}

impl ModuleMapper for Randomiser {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let count: usize = shape.iter().product();
        // One-dimensional floats include variances, which must be positive.
        let range = if D == 1 { 0.3..1.3 } else { -0.8..0.8 };
        let values: Vec<f64> = (0..count)
            .map(|_| self.rng.random_range(range.clone()))
            .collect();
        let device = tensor.device().inner();
        let plain = Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64));
        let leaf = Tensor::from_inner(plain).set_require_grad(tensor.is_require_grad());
        Param::from_mapped_value(id, leaf, mapper)
    }
}

impl Growable for Net {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self
            .depthwise
            .forward(self.after.forward(self.conv1.forward(input)));
        let skip = self.skip.forward(x.clone()).mean_dims(&[2, 3]);
        let [batch, outputs, ..] = skip.dims();
        let x = self.conv2.forward(x).flatten::<2>(1, 3);
        let x = self.linear2.forward(self.linear1.forward(x));
        self.output.forward(x) + skip.reshape([batch, outputs])
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let mut topology = Topology::builder();
        let first = topology.open("conv1", &self.conv1);
        topology.join(first, "after", &self.after);
        topology.join(first, "depthwise", &self.depthwise);
        topology.feed(first, "conv2", &self.conv2);
        topology.feed(first, "skip", &self.skip);
        let second = topology.open("conv2", &self.conv2);
        topology.feed_flattened(second, self.positions, "linear1", &self.linear1);
        let third = topology.open("linear1", &self.linear1);
        topology.feed(third, "linear2", &self.linear2);
        let fourth = topology.open("linear2", &self.linear2);
        topology.feed(fourth, "output", &self.output);
        topology.build()
    }
}

/// Regression samples in f64.
pub fn samples(shape: &Shape, backend: &dyn SplitBackend) -> Samples<Tensor<4>> {
    let mut rng = ChaCha8Rng::seed_from_u64(shape.seed ^ 1);
    let device = backend.device();
    let dims = [shape.batch, shape.channels[0], shape.size[0], shape.size[1]];
    let mut draw =
        |count: usize| -> Vec<f64> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let inputs = TensorData::new(draw(dims.iter().product()), dims);
    let values = TensorData::new(draw(shape.batch * 2), [shape.batch, 2]);
    Samples::regression(
        Tensor::from_data(inputs, (&device, DType::F64)),
        Tensor::from_data(values, (&device, DType::F64)),
    )
    .expect("random samples are sound")
}

/// A plan of one growth.
pub fn plan(
    site: &str,
    neuron: usize,
    scheme: Scheme,
    [min, max]: [&[f64]; 2],
    bound: WeightBound,
) -> Plan {
    Plan::new(
        "test",
        vec![Candidate {
            site: site.to_owned(),
            channels: site.to_owned(),
            neuron,
            scheme,
            offspring: scheme.offspring(min, max, bound),
            gain: None,
            score: 0.0,
            cost: 0,
        }],
    )
}
