//! Training without growing, and a growth step by hand in the middle of it, by the public
//! interface alone.

use burgeon::backend::flex::FLEX;
use burgeon::prelude::*;
use burgeon::train::{Subject, Verdict};
use burn::optim::AdamConfig;

#[path = "common/net.rs"]
mod net;

#[test]
fn a_trainer_of_ones_own_trains_grows_and_trains() {
    let (train, held) = net::digits(400).split_off(0.25, 1).expect("two parts");
    let trainer = Trainer::new(TrainConfig::default()).expect("sound");
    let (mut model, mut optimizer) = (net::Mlp::new(), AdamConfig::new().init());
    let epoch = |model: &mut net::Mlp, optimizer: &mut _, number| {
        let loss = trainer.epoch(model, optimizer, &CrossEntropy, &train, number, 0.01);
        loss.expect("trains").expect("not interrupted")
    };
    let first = epoch(&mut model, &mut optimizer, 1);
    epoch(&mut model, &mut optimizer, 2);
    let step = GrowthStep::new(SteepestDescent, PerLayer::new(0.5).expect("in range"));
    let subject = Subject {
        model: &model,
        trace: trace(&model, &train).expect("traceable").into(),
        objective: &CrossEntropy,
        train: &train,
        held: &held,
        batch_size: 128,
        backend: &FLEX,
    };
    let made = step.run(&subject, 1).expect("computes");
    assert_eq!(made.record.verdict, Verdict::Committed);
    let (grown, edits) = made.grown.expect("committed");
    let mut optimizer = burgeon::nn::surgery::carry_optimizer(optimizer, &edits).expect("Adam");
    assert_eq!(grown.hidden.weight.dims()[1], net::START + net::START / 2);
    let mut grown = grown;
    let last = epoch(&mut grown, &mut optimizer, 3);
    assert!(last < first, "{last} after {first}");
}
