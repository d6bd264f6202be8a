//! Data that a model can read only in part.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Context, Criterion, RandomSplit};
use burgeon_core::select::{Room, Selector, TopK};
use burgeon_core::{CapturedLandscape, Plan, SplitBackend};
use burgeon_nn::capture::capture;
use burgeon_nn::growable::evaluate;
use burgeon_nn::search::line_search;
use burgeon_nn::{CrossEntropy, Growable, Samples, SpectrumConfig, capture_spectra};
use burgeon_train::{Grower, RateSchedule, Task, Trigger};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::network::{Mlp, adam, config, digits, refused, task};

/// A plan for `model`.
fn plan(model: &Mlp) -> Plan {
    let captured = capture(model, &CrossEntropy, &digits(8), 8, None).expect("captured");
    let landscape = CapturedLandscape::new(captured, &FLEX);
    let candidates = RandomSplit.candidates(&landscape, &mut Context::seeded(1));
    let chosen = TopK::new(2).expect("in range");
    let chosen = chosen.select(candidates.expect("computed"), &Room::default());
    Plan::new("random", chosen.expect("selects"))
}

/// Digits of which only the one in row 150 has a label that ten outputs cannot have.
fn late_label() -> Samples<Tensor<2>> {
    let inputs = digits(200).inputs().clone();
    let mut labels = vec![1; 200];
    labels[150] = 11;
    Samples::classification(inputs, &labels, 12, &FLEX.device()).expect("sound in itself")
}

#[test]
fn a_label_out_of_range_is_found_wherever_it_is() {
    let (model, samples) = (Mlp::fixed(2), late_label());
    let objective = &CrossEntropy;
    let expected = "label 11 needs 12 outputs, the model has 10";
    refused(evaluate(&model, objective, &samples, 64), expected);
    let spectra = SpectrumConfig::default();
    let found = capture_spectra(&model, objective, &samples, 64, &spectra, &FLEX);
    refused(found, expected);
    refused(
        capture(&model, objective, &samples, 64, Some(&FLEX)),
        expected,
    );
    let found = line_search(&model, &plan(&model), &[0.1], objective, &samples, 64);
    refused(found, expected);
}

/// How [`Fixed`] loses its batch axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    Reshape(usize),
    Squeeze,
}

/// A network whose `predict` does not leave the batch axis free.
#[derive(Module, Debug)]
struct Fixed {
    net: Mlp,
    #[module(skip)]
    loss: Loss,
}

impl Growable for Fixed {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.net.predict(match self.loss {
            Loss::Reshape(size) => input.reshape([size, 64]),
            Loss::Squeeze => input.unsqueeze_dim::<3>(1).squeeze(),
        })
    }
}

#[test]
fn a_batch_size_that_predict_fixes_is_named() {
    let model = |loss| Fixed {
        net: Mlp::fixed(2),
        loss,
    };
    let make = |loss| Grower::new(config(), FLEX, task(200), model(loss), adam());
    refused(
        make(Loss::Reshape(64)),
        "reads a batch of 64 but not of 1 samples: `predict` fixes the batch size",
    );
    refused(
        make(Loss::Squeeze),
        "reads a batch of 2 but not of 1 samples",
    );
    // The last batch is smaller.
    let (model, samples) = (model(Loss::Reshape(64)), digits(200));
    let expected = "cannot read a batch of 8 samples: `predict` must take any number";
    refused(evaluate(&model, &CrossEntropy, &samples, 64), expected);
    let spectra = SpectrumConfig::default();
    let found = capture_spectra(&model, &CrossEntropy, &samples, 64, &spectra, &FLEX);
    refused(found, "the model cannot be traced");
    let found = line_search(
        &model,
        &plan(&model.net),
        &[0.1],
        &CrossEntropy,
        &samples,
        64,
    );
    refused(found, "the model cannot be traced");
}

/// A last batch of one sample has no variance to normalise by.
#[test]
fn a_lone_last_sample_joins_the_batch_before_it() {
    let variances = |count: usize| {
        let task = Task::new(
            CrossEntropy,
            digits(129)
                .subset(&(0..count).collect::<Vec<_>>())
                .expect("there"),
            digits(64),
        );
        let still = config()
            .with_learning_rate(RateSchedule::constant(0.0).expect("a rate"))
            .with_trigger(Trigger::Every { epochs: 100 })
            .with_max_epochs(8);
        let grower = Grower::new(still, FLEX, task, Mlp::fixed(2), adam());
        let mut grower = grower.expect("sound");
        grower.run().expect("runs");
        let norm = &grower.model().hidden1.norm;
        let variances = norm.running_var.value().into_data();
        variances.try_to_vec::<f32>().expect("f32")
    };
    for (even, odd) in variances(128).into_iter().zip(variances(129)) {
        assert!((odd / even - 1.0).abs() < 0.2, "{even} becomes {odd}");
    }
}
