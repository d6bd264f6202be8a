//! Bad input gets an error that says what to do.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::{CrossEntropy, Samples};
use burgeon_train::{Grower, Task};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};

use crate::network::{Mlp, adam, config, digits, refused, task};

#[test]
fn bad_input_gets_an_error_that_says_what_to_do() {
    let device = FLEX.device();
    let rows = |values: Vec<f32>, n: usize| {
        Tensor::<2>::from_data(TensorData::new(values, [n, 2]), &device)
    };
    let labelled = |values: Vec<f32>, n, labels: &[usize]| {
        Samples::classification(rows(values, n), labels, 10, &device)
    };
    refused(labelled(vec![], 0, &[]), "at least one sample");
    refused(labelled(vec![1.0, f32::NAN], 1, &[0]), "NaN");
    refused(labelled(vec![1.0, f32::INFINITY], 1, &[0]), "infinity");
    refused(labelled(vec![1.0, 2.0], 1, &[10]), "label 10");
    refused(
        labelled(vec![1.0, 2.0], 1, &[1, 2]),
        "1 inputs but 2 targets",
    );
    let make = |config| Grower::new(config, FLEX, task(100), Mlp::fixed(2), adam());
    refused(
        make(config().with_parameter_budget(10)),
        "below the start network's",
    );
    refused(make(config().with_batch_size(0)), "batch size");
    refused(make(config().with_target_accuracy(97.0)), "between 0 and 1");
    let (other, held) = (digits(50), digits(50));
    let wrong = Samples::classification(
        other.inputs().clone().slice([0..50, 0..64]),
        &[11; 50],
        12,
        &device,
    );
    let task_with = |train: Samples<_>| Task::new(CrossEntropy, train, held.clone());
    let unfit = task_with(wrong.expect("sound in itself"));
    refused(
        Grower::new(config(), FLEX, unfit, Mlp::fixed(2), adam()),
        "needs 12 outputs",
    );
    let narrow = digits(50).inputs().clone().slice([0..50, 0..32]);
    let narrow = Samples::classification(narrow, &[1; 50], 10, &device).expect("sound in itself");
    let unfit = task_with(narrow);
    refused(
        Grower::new(config(), FLEX, unfit, Mlp::fixed(2), adam()),
        "cannot read inputs of this shape",
    );
    let plain = Mlp::fixed(2).valid();
    refused(
        Grower::new(config(), FLEX, task(100), plain, adam()),
        "autodiff",
    );
    let mut broken = Mlp::fixed(2);
    broken.output = nan(broken.output);
    refused(
        Grower::new(config(), FLEX, task(100), broken, adam()),
        "NaN",
    );
}

fn nan(linear: Linear) -> Linear {
    Linear {
        weight: linear
            .weight
            .map(|w| Tensor::from_inner(w.inner() * f32::NAN).require_grad()),
        ..linear
    }
}
