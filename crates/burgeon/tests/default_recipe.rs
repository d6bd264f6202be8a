//! What the defaults promise: a network grown by them is level with its widths from scratch.

use burgeon::backend::flex::FLEX;
use burgeon::data::{Images, optdigits};
use burgeon::prelude::*;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::tensor::activation::relu;

const SEEDS: u64 = 5;

#[derive(Module, Debug)]
struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Growable for Mlp {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, pixels: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(pixels)))
    }
}

fn samples(images: &Images, device: &Device) -> Samples<Tensor<2>> {
    let pixels = TensorData::new(images.pixels.clone(), [images.len(), 64]);
    let pixels = Tensor::from_data(pixels, device);
    Samples::classification(pixels, &images.labels, 10, device).expect("sound")
}

/// The test accuracy, the training cost and the width of a run.
fn run(config: GrowerConfig, width: usize, seed: u64) -> (f64, u64, usize) {
    let device = FLEX.device();
    let digits = optdigits::load().expect("embedded");
    let (train, held) = samples(&digits.train, &device)
        .split_off(0.1, seed)
        .expect("both parts have samples");
    device.seed(seed);
    let trainable = device.clone().autodiff();
    let model = Mlp {
        hidden: LinearConfig::new(64, width).init(&trainable),
        output: LinearConfig::new(width, 10).init(&trainable),
    };
    let optimizer = AdamWConfig::new().with_weight_decay(0.1).init();
    let task = Task::new(CrossEntropy, train, held);
    let grower = Grower::new(config.with_seed(seed), FLEX, task, model, optimizer);
    let mut grower = grower.expect("sound");
    grower.run().expect("runs");
    let test = samples(&digits.test, &device);
    let found = evaluate(grower.model(), &CrossEntropy, &test, 512).expect("runs");
    let width = grower.model().hidden.weight.dims()[1];
    let macs = grower.state().training_macs;
    (found.accuracy.expect("classes"), macs, width)
}

/// One test, since the runs share Burn's random numbers.
#[test]
fn grown_by_default_is_level_with_scratch_at_equal_cost() {
    let mut differences = Vec::new();
    for seed in 0..SEEDS {
        let (grown, macs, width) = run(GrowerConfig::default(), 8, seed);
        assert_eq!(width, 32, "two growths double it twice");
        let same_cost = GrowerConfig::default()
            .with_max_growths(0)
            .with_max_epochs(usize::MAX)
            .with_training_macs(macs);
        let (scratch, spent, _) = run(same_cost, width, seed);
        // The epoch in which the cost is spent is trained to its end.
        assert!(spent >= macs && (spent - macs) as f64 <= 0.03 * macs as f64);
        differences.push(grown - scratch);
    }
    let mean = differences.iter().sum::<f64>() / SEEDS as f64;
    assert!(mean > -0.003, "grown less scratch: {differences:?}");
}
