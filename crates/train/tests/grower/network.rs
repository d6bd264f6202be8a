//! The network, data and settings of these tests.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_data::optdigits;
use burgeon_graph::Graph;
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples, trace};
use burgeon_ops::{FastBatchNorm, FastBatchNormConfig};
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger, Verdict};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};

/// A linear layer with its BatchNorm and SiLU.
#[derive(Module, Debug)]
pub struct Hidden {
    pub linear: Linear,
    pub norm: FastBatchNorm,
}

impl Hidden {
    fn new(inputs: usize, width: usize, device: &Device) -> Self {
        Self {
            linear: LinearConfig::new(inputs, width).init(device),
            norm: FastBatchNormConfig::new(width).init(device),
        }
    }

    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        silu(self.norm.forward(self.linear.forward(input)))
    }
}

#[derive(Module, Debug)]
pub struct Mlp {
    pub hidden1: Hidden,
    pub hidden2: Hidden,
    pub output: Linear,
}

impl Mlp {
    fn new(inputs: usize, width: usize, device: &Device) -> Self {
        Self {
            hidden1: Hidden::new(inputs, width, device),
            hidden2: Hidden::new(width, width, device),
            output: LinearConfig::new(width, 10).init(device),
        }
    }

    /// The same weights every time, whatever other tests draw meanwhile.
    pub fn fixed(width: usize) -> Self {
        Self::on(&FLEX.device().autodiff(), width)
    }

    /// As [`fixed`](Self::fixed), on a training device of its own.
    pub fn on(device: &Device, width: usize) -> Self {
        fixed(Self::new(64, width, device))
    }
}

/// `model` with the same weights every time.
pub fn fixed<M: Module>(model: M) -> M {
    struct Fix(f32);
    impl burn::module::ModuleMapper for Fix {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| {
                    self.0 += 1.0;
                    let wave = (self.0 * 12.9898).sin() * 0.3;
                    if D == 1 { wave.abs() + 0.5 } else { wave }
                })
                .collect();
            let leaf = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
            let leaf = leaf.set_require_grad(tensor.is_require_grad());
            Param::from_mapped_value(id, leaf, mapper)
        }
    }
    model.map(&mut Fix(0.0))
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output
            .forward(self.hidden2.forward(self.hidden1.forward(input)))
    }
}

/// What a model that reads digits computes.
pub fn graph<M: Growable<Input = Tensor<2>>>(model: &M) -> Graph {
    let traced = trace(model, &digits(4)).expect("traceable");
    traced.graph().clone()
}

pub fn digits(count: usize) -> Samples<Tensor<2>> {
    let train = optdigits::load().expect("embedded").train;
    let device = FLEX.device();
    let pixels = train.pixels[..count * 64].to_vec();
    let inputs = Tensor::from_data(TensorData::new(pixels, [count, 64]), &device);
    Samples::classification(inputs, &train.labels[..count], 10, &device).expect("sound")
}

pub fn task(count: usize) -> Task<Tensor<2>> {
    let (train, held) = digits(count)
        .split_off(0.25, 3)
        .expect("both parts have samples");
    Task::new(CrossEntropy, train, held)
}

pub fn config() -> GrowerConfig {
    GrowerConfig::new(SteepestDescent, Fraction::new(0.5).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_epochs(9)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_capture_samples(200)
        .with_batch_size(64)
        .with_max_refusals(10)
        .with_seed(5)
}

pub fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

pub fn grower(config: GrowerConfig) -> Grower<Mlp> {
    Grower::new(config, FLEX, task(600), Mlp::fixed(2), adam()).expect("sound settings")
}

/// All floats of a model, bit for bit.
pub fn bits<M: Module>(model: &M) -> Vec<Vec<u32>> {
    struct Bits(Vec<Vec<u32>>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().into_data().try_to_vec::<f32>().expect("f32");
            self.0.push(values.into_iter().map(f32::to_bits).collect());
        }
    }
    let mut bits = Bits(Vec::new());
    model.visit(&mut bits);
    bits.0
}

pub fn committed(grower: &Grower<Mlp>) -> usize {
    let journal = &grower.state().journal;
    journal
        .iter()
        .filter(|record| record.verdict == Verdict::Committed)
        .count()
}

/// Checks that `result` is an error whose message says `expected`.
pub fn refused(result: Result<impl std::fmt::Debug, NnError>, expected: &str) {
    let error = result.expect_err("bad input").to_string();
    assert!(
        error.contains(expected),
        "`{error}` does not say `{expected}`"
    );
}
