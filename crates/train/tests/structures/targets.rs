//! One answer for each position: ignored labels, weights of classes, smoothing.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::evaluate;
use burgeon_nn::{
    CrossEntropy, MeanSquaredError, NnError, Objective, Samples, WeightedCrossEntropy,
};
use burgeon_train::{Grower, Task};
use burn::tensor::{DType, Tensor, TensorData};

use crate::run::{Grown, adam, committed, config, samples, student};
use crate::zoo::{Tagger, UNet};

const IGNORED: usize = 255;

/// Samples of `M` of which every third label is nobody's.
fn partly<M: Grown>(count: usize, seed: u64) -> Samples<<M as burgeon_nn::Growable>::Input> {
    let samples = samples::<M>(count, DType::F32, seed);
    let classes = samples.targets().classes().expect("classes").into_data();
    let labels: Vec<usize> = classes
        .iter::<i64>()
        .enumerate()
        .map(|(row, label)| match row % 3 {
            0 => IGNORED,
            _ => usize::try_from(label).expect("a label"),
        })
        .collect();
    Samples::positions(samples.inputs().clone(), &labels, &FLEX.device()).expect("sound")
}

fn grows_on_positions<M: Grown>(classes: usize) {
    let weights = (0..classes).map(|class| 1.0 + class as f64).collect();
    let objective = WeightedCrossEntropy::new()
        .with_weights(weights)
        .and_then(|objective| objective.with_smoothing(0.1))
        .expect("in range")
        .with_ignored(IGNORED);
    let task = Task::new(objective.clone(), partly::<M>(24, 1), partly::<M>(12, 2));
    let grower = Grower::new(config(), FLEX, task, student::<M>(), adam());
    let mut grower = grower.expect("sound");
    grower.run().expect("runs");
    assert!(
        !committed(&grower).is_empty(),
        "{:#?}",
        grower.state().journal
    );
    let found = evaluate(grower.model(), &objective, &partly::<M>(12, 2), 5).expect("runs");
    let last = grower.state().epochs.last().expect("trained").held;
    assert!((found.loss - last.loss).abs() < 1e-5);
    // Labels that do not count are no misses either.
    assert!(found.accuracy.expect("classes") > 0.34, "{found:?}");
    // Without being told, 255 is a class that the model does not have.
    let task = Task::new(CrossEntropy, partly::<M>(24, 1), partly::<M>(12, 2));
    let refused = Grower::new(config(), FLEX, task, student::<M>(), adam());
    let said = refused.expect_err("a label out of range").to_string();
    assert!(said.contains("label 255 needs 256 outputs"), "{said}");
}

#[test]
fn pixels_are_classified() {
    grows_on_positions::<UNet>(3);
}

#[test]
fn words_are_tagged() {
    grows_on_positions::<Tagger>(4);
}

fn rows(values: &[[f64; 3]]) -> Tensor<2> {
    let data = TensorData::new(values.concat(), [values.len(), 3]);
    Tensor::from_data(data, (&FLEX.device(), DType::F64))
}

/// `−log p` of each class by hand.
fn surprise(logits: &[f64; 3]) -> [f64; 3] {
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    logits.map(|x| sum.ln() - x)
}

#[test]
fn losses_are_those_by_hand() {
    let logits = [
        [0.5, -1.0, 2.0],
        [0.0, 0.3, -0.2],
        [1.5, 1.0, -3.0],
        [0.1, 0.2, 0.3],
    ];
    let labels = [2, 0, 7, 1];
    let weights = [0.5, 2.0, 3.0];
    let classes = Samples::positions(rows(&logits), &labels, &FLEX.device()).expect("sound");
    let expected = |weights: Option<[f64; 3]>, smoothing: f64| -> f64 {
        let terms = logits.iter().zip(labels).filter(|(_, label)| *label != 7);
        let terms = terms.map(|(logits, label)| {
            let all = surprise(logits);
            let mean = all.iter().sum::<f64>() / 3.0;
            let weight = weights.map_or(1.0, |weights| weights[label]);
            weight * ((1.0 - smoothing) * all[label] + smoothing * mean)
        });
        // The mean is over all rows, ignored ones included.
        terms.sum::<f64>() / 4.0
    };
    for smoothing in [0.0, 0.2] {
        for weights in [None, Some(weights)] {
            let objective = WeightedCrossEntropy::new().with_ignored(7);
            let objective = objective.with_smoothing(smoothing).expect("in range");
            let objective = match weights {
                Some(weights) => objective.with_weights(weights.to_vec()).expect("positive"),
                None => objective,
            };
            let found = objective
                .loss(rows(&logits), classes.targets())
                .into_scalar::<f64>();
            let expected = expected(weights, smoothing);
            assert!(
                (found - expected).abs() < 1e-12,
                "{found}, by hand {expected}"
            );
        }
    }
    // Without anything to change it, it is the plain one.
    let plain = Samples::classification(rows(&logits), &[2, 0, 1, 1], 3, &FLEX.device());
    let plain = plain.expect("sound");
    let of = |objective: &dyn Objective| {
        objective
            .loss(rows(&logits), plain.targets())
            .into_scalar::<f64>()
    };
    assert!((of(&WeightedCrossEntropy::new()) - of(&CrossEntropy)).abs() < 1e-12);
}

#[test]
fn settings_of_a_loss_are_checked() {
    let said = |result: Result<WeightedCrossEntropy, NnError>| {
        result.expect_err("out of range").to_string()
    };
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = said(WeightedCrossEntropy::new().with_weights(vec![1.0, weight]));
        assert!(refused.contains("class weight"), "{refused}");
    }
    for smoothing in [-0.1, 1.0, f64::NAN] {
        let refused = said(WeightedCrossEntropy::new().with_smoothing(smoothing));
        assert!(refused.contains("label smoothing"), "{refused}");
    }
    let two = WeightedCrossEntropy::new()
        .with_weights(vec![1.0; 2])
        .expect("positive");
    let model = student::<Tagger>();
    let refused = evaluate(&model, &two, &samples::<Tagger>(3, DType::F32, 1), 3);
    let said = refused.expect_err("four classes").to_string();
    assert!(
        said.contains("2 class weights, but the model has 4 outputs"),
        "{said}"
    );
}

#[test]
fn targets_of_another_number_of_rows_are_refused() {
    let device = FLEX.device();
    let model = student::<Tagger>();
    let words = samples::<Tagger>(6, DType::F32, 1).inputs().clone();
    let said = |targets: Result<Samples<_>, NnError>, objective: &dyn Objective| {
        let refused = evaluate(&model, objective, &targets.expect("sound in itself"), 4);
        refused.expect_err("does not fit").to_string()
    };
    let one_each = Samples::classification(words.clone(), &[1; 6], 4, &device);
    let refused = said(one_each, &CrossEntropy);
    assert!(refused.contains("20 times for 4 labels"), "{refused}");
    let values = Samples::regression(words.clone(), Tensor::zeros([6, 4], &device));
    let refused = said(values, &MeanSquaredError);
    assert!(refused.contains("20 times for 4 samples"), "{refused}");
    let uneven = Samples::positions(words, &[1; 7], &device).expect_err("7 labels");
    assert!(
        uneven.to_string().contains("7 labels for 6 samples"),
        "{uneven}"
    );
}
