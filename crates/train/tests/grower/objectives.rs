//! Objectives that a run cannot rely on.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::{
    CrossEntropy, MeanSquaredError, NnError, Objective, Samples, Targets, WeightedCrossEntropy,
};
use burgeon_train::{Grower, Task};
use burn::tensor::Tensor;

use crate::network::{Mlp, adam, config, digits, refused, task};

/// A cross entropy that sums over the batch.
#[derive(Debug)]
struct Summed;

impl Objective for Summed {
    fn name(&self) -> &'static str {
        "summed cross entropy"
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        CrossEntropy.loss(output, targets) * targets.len() as f64
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        CrossEntropy.check(outputs, targets)
    }
}

#[test]
fn an_objective_that_sums_is_refused() {
    let summed = Task {
        objective: Box::new(Summed),
        ..task(200)
    };
    refused(
        Grower::new(config(), FLEX, summed, Mlp::fixed(2), adam()),
        "settings: the objective `summed cross entropy` is",
    );
    Grower::new(config(), FLEX, task(200), Mlp::fixed(2), adam()).expect("a mean");
}

#[test]
fn a_target_accuracy_that_cannot_come_is_refused() {
    let values = || {
        let inputs = digits(100).inputs().clone();
        let values = Tensor::ones([100, 10], &FLEX.device());
        Samples::regression(inputs, values).expect("sound")
    };
    let regression = || Task::new(MeanSquaredError, values(), values());
    let make = |config, task| Grower::new(config, FLEX, task, Mlp::fixed(2), adam());
    let wanted = || config().with_target_accuracy(0.9);
    refused(
        make(wanted(), regression()),
        "settings: a target accuracy of 0.9 can never be reached, since the held samples have \
         values",
    );
    make(config(), regression()).expect("without a target");
    let inputs = digits(100).inputs().clone();
    let padding = Samples::classification(inputs, &[3; 100], 10, &FLEX.device());
    let unlabelled = Task {
        objective: Box::new(WeightedCrossEntropy::new().with_ignored(3)),
        held: padding.expect("sound"),
        ..task(200)
    };
    refused(
        make(wanted(), unlabelled),
        "the objective ignores every label",
    );
    let ignoring = Task {
        objective: Box::new(WeightedCrossEntropy::new().with_ignored(3)),
        ..task(200)
    };
    make(wanted(), ignoring).expect("labels that count");
    make(wanted(), task(200)).expect("labels");
}
