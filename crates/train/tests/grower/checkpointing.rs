//! Gradient checkpointing: activations are computed again in the backward pass.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_nn::{CrossEntropy, Growable, Samples};
use burgeon_ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig, FastMaxPool2d, FastMaxPool2dConfig,
};
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, silu};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};

use crate::network::{Mlp, adam, bits, config, digits, fixed, task};

/// Convolutions, normalisation, activations and pooling: all of this project's operations.
#[derive(Module, Debug)]
struct ConvNet {
    conv: FastConv2d,
    norm: FastBatchNorm,
    depthwise: DepthwiseConv2d,
    pool: FastMaxPool2d,
    output: Linear,
}

impl ConvNet {
    fn new(device: &Device) -> Self {
        fixed(Self {
            conv: FastConv2dConfig::new([1, 4], [3, 3]).init(device),
            norm: FastBatchNormConfig::new(4).init(device),
            depthwise: DepthwiseConv2dConfig::new(4, [3, 3]).init(device),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            output: LinearConfig::new(4, 10).init(device),
        })
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = silu(self.norm.forward(self.conv.forward(input)));
        let pooled = self.pool.forward(relu(self.depthwise.forward(maps)));
        self.output.forward(pooled.mean_dims(&[2, 3]).flatten(1, 3))
    }
}

fn images(count: usize) -> Samples<Tensor<4>> {
    let digits = digits(count);
    let images = digits.inputs().clone().reshape([count, 1, 8, 8]);
    digits.with_inputs(images, |values| values).expect("sound")
}

fn short() -> GrowerConfig {
    GrowerConfig::new(SteepestDescent, Fraction::new(0.5).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(3)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_batch_size(32)
        .with_max_refusals(10)
        .with_seed(2)
}

/// The network after some epochs and growths from the weights of `start`.
fn grown(start: ConvNet) -> ConvNet {
    let task = Task::new(CrossEntropy, images(150), images(60));
    let grower = Grower::new(short(), FLEX, task, start, adam());
    let mut grower = grower.expect("sound");
    grower.run().expect("runs");
    grower.into_model()
}

#[test]
fn checkpointing_trains_to_the_same_network() {
    let device = FLEX.device().autodiff();
    let plain = grown(ConvNet::new(&device));
    let checkpointed = grown(ConvNet::new(&device.gradient_checkpointing()));
    assert!(plain.conv.weight.dims()[0] > 4, "nothing has grown");
    assert!(bits(&plain) == bits(&checkpointed), "the networks differ");
    assert_checkpointed(&checkpointed);
}

/// Checks that every tensor of `model` has the strategy.
fn assert_checkpointed<M: Module>(model: &M) {
    struct Checker;
    impl ModuleVisitor for Checker {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let found = param.val().gradient_checkpointing_strategy();
            assert_eq!(found, Some(GradientCheckpointingStrategy::Balanced));
        }
    }
    model.visit(&mut Checker);
}

#[test]
fn a_checkpointed_run_is_resumed_with_checkpointing() {
    let device = FLEX.device().autodiff().gradient_checkpointing();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let run = || {
        let model = Mlp::on(&device, 2);
        let grower = Grower::new(config().with_max_epochs(3), FLEX, task(200), model, adam());
        let mut grower = grower.expect("sound").checkpoint_at(&path).expect("usable");
        grower.run().expect("runs");
        grower.into_model()
    };
    run();
    assert_checkpointed(&run());
}
