//! Training with products in bfloat16.

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::TopK;
use burgeon_nn::{CrossEntropy, Growable};
use burgeon_ops::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig,
};
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{DType, Device, Tensor};

use crate::network::{Mlp, adam, bits, committed, config, digits, grower, refused, task};

#[test]
fn a_network_trains_and_grows_with_weights_and_spectra_in_f32() {
    let mut mixed = grower(config().with_mixed_precision(true));
    mixed.run().expect("runs");
    let mut single = grower(config());
    single.run().expect("runs");
    let (mixed_epochs, single_epochs) = (&mixed.state().epochs, &single.state().epochs);
    assert!(committed(&mixed) >= 2, "{:#?}", mixed.state().journal);
    assert!(mixed_epochs[8].train_loss < 0.8 * mixed_epochs[0].train_loss);
    // Eight bits of mantissa: near, and not the same.
    let (a, b) = (mixed_epochs[0].train_loss, single_epochs[0].train_loss);
    assert!(a != b && (a - b).abs() < 0.02 * b, "{a} {b}");
    assert_eq!(
        mixed.model().hidden1.linear.weight.val().dtype(),
        DType::F32
    );
    // Surgery is checked on the network in f32.
    for record in &mixed.state().journal {
        assert!(record.output_change_at_zero <= 1e-5, "{record:#?}");
    }
}

#[test]
fn a_seed_fixes_a_run_bit_for_bit() {
    let run = || {
        let mut grower = grower(config().with_mixed_precision(true));
        grower.run().expect("runs");
        bits(grower.model())
    };
    assert!(run() == run());
}

#[test]
fn a_device_without_bfloat16_is_refused() {
    let config = config().with_mixed_precision(true);
    let made = Grower::new(config, NDARRAY, task(100), Mlp::fixed(2), adam());
    refused(made, "ndarray does not compute in BF16");
}

/// A convolution, a depthwise one and a linear layer.
#[derive(Module, Debug)]
struct Convolutions {
    first: FastConv2d,
    norm: FastBatchNorm,
    each: DepthwiseConv2d,
    output: Linear,
}

impl Convolutions {
    fn new(device: &Device) -> Self {
        Self {
            first: FastConv2dConfig::new([1, 4], [3, 3]).init(device),
            norm: FastBatchNormConfig::new(4).init(device),
            each: DepthwiseConv2dConfig::new(4, [3, 3]).init(device),
            output: LinearConfig::new(4, 10).init(device),
        }
    }
}

impl Growable for Convolutions {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = silu(self.norm.forward(self.first.forward(input)));
        let maps = silu(self.each.forward(maps));
        let [b, c, ..] = maps.dims();
        let means = maps.mean_dim(3).mean_dim(2).reshape([b, c]);
        self.output.forward(means)
    }
}

#[test]
fn convolutions_multiply_in_bfloat16_too() {
    let device = FLEX.device();
    let rows = digits(200);
    let images = rows.inputs().clone().reshape([200, 1, 8, 8]);
    let images = rows.with_inputs(images, |values| values).expect("fit");
    let model = Convolutions::new(&device.autodiff());
    let first_loss = |mixed| {
        let config = GrowerConfig::new(SteepestDescent, TopK::new(1).expect("one"))
            .with_trigger(Trigger::Every { epochs: 1 })
            .with_learning_rate(RateSchedule::constant(0.01).expect("a rate"))
            .with_max_epochs(1)
            .with_mixed_precision(mixed);
        let task = Task::new(CrossEntropy, images.clone(), images.clone());
        let mut grower = Grower::new(config, FLEX, task, model.clone(), adam()).expect("sound");
        grower.run().expect("runs");
        grower.state().epochs[0].train_loss
    };
    let (mixed, single) = (first_loss(true), first_loss(false));
    assert!(
        mixed != single && (mixed - single).abs() < 0.02 * single,
        "{mixed} {single}"
    );
}
