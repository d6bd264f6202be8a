//! How runs end: the best model, waiting in vain, a spent training cost, growth that ends.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{RandomNeuron, SteepestDescent};
use burgeon_core::select::{Fraction, PerLayer};
use burgeon_nn::CrossEntropy;
use burgeon_nn::growable::evaluate;
use burgeon_train::{
    Accept, Advance, Grower, GrowerConfig, GrowthEnd, Outcome, RateSchedule, StepSize, StopReason,
    Trigger, Verdict,
};

use crate::network::{Mlp, adam, bits, committed, config, grower, task};

/// A rate so high that the held loss has its least value long before the end.
fn overfitting() -> GrowerConfig {
    config()
        .with_learning_rate(RateSchedule::constant(0.05).expect("a rate"))
        .with_max_growths(0)
        .with_max_epochs(60)
}

fn fixed(config: GrowerConfig) -> Grower<Mlp> {
    Grower::new(config, FLEX, task(120), Mlp::fixed(16), adam()).expect("sound")
}

#[test]
fn the_best_model_is_that_of_least_held_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut run = fixed(overfitting()).checkpoint_at(&path).expect("new");
    run.run().expect("runs");
    let epochs = &run.state().epochs;
    let losses: Vec<f64> = epochs.iter().map(|record| record.held.loss).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = run.state().best.expect("trained");
    assert_eq!(best.loss, least);
    assert_eq!(losses[best.epoch - 1], least);
    assert!(best.epoch < epochs.len(), "the last epoch is the best");
    let loss = |model: &Mlp| {
        evaluate(model, &CrossEntropy, &task(120).held, 64)
            .expect("runs")
            .loss
    };
    assert_eq!(loss(run.best_model()), least);
    assert!(loss(run.model()) > least);
    let expected = bits(run.best_model());
    drop(run);
    // It is there after a restart too.
    let again = fixed(overfitting()).checkpoint_at(&path).expect("its own");
    assert!(bits(again.best_model()) == expected);
}

#[test]
fn a_run_that_makes_no_progress_ends() {
    let patience = 4;
    let mut run = fixed(overfitting().with_patience(patience));
    let outcome = run.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::NoProgress));
    let best = run.state().best.expect("trained");
    assert_eq!(run.state().epoch, best.epoch + patience);
}

#[test]
fn a_training_cost_ends_a_run_in_the_epoch_that_spends_it() {
    let whole = {
        let mut whole = grower(config());
        whole.run().expect("runs");
        whole.state().clone()
    };
    assert!(whole.journal.iter().all(|record| record.macs > 0));
    let after_fifth = whole.epochs[4].training_macs;
    let mut run = grower(config().with_training_macs(after_fifth));
    let outcome = run.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::TrainingCost));
    assert_eq!(run.state().epochs, whole.epochs[..5]);
    // Three forward passes a sample, and the growth steps between.
    let samples = 450;
    let per_epoch =
        |index: usize| whole.epochs[index].training_macs - whole.epochs[index - 1].training_macs;
    let of_layers = |width: u64| 64 * width + width * width + width * 10;
    assert!(per_epoch(1) >= 3 * samples * of_layers(2));
    assert!(per_epoch(1) < 4 * samples * of_layers(2));
    assert!(per_epoch(2) > per_epoch(1), "a growth step costs something");
}

#[test]
fn refusals_and_a_spent_limit_end_growing_and_not_training() {
    // At ε = 50 no split of a trained digit net helps, so that every growth is refused.
    let hopeless = |refusals| {
        config()
            .with_step_size(StepSize::Fixed {
                epsilon: 50.0,
                accept: Accept::Decrease,
            })
            .with_max_refusals(refusals)
    };
    let mut run = grower(hopeless(2));
    let outcome = run.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    assert_eq!(run.state().journal.len(), 2, "it is tried again");
    let expected = GrowthEnd::Refused(Verdict::NoDecrease);
    assert_eq!(run.state().growing_ended, Some(expected));
    let mut limited = grower(config().with_max_growths(1));
    let outcome = limited.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    assert_eq!(committed(&limited), 1);
    assert_eq!(limited.state().epoch, 9);
    // A net of fixed size trains to its end, whatever the trigger.
    let mut still = grower(config().with_max_growths(0));
    assert_eq!(
        still.run().expect("runs"),
        Outcome::Stopped(StopReason::EpochLimit)
    );
    assert!(still.state().journal.is_empty());
}

#[test]
fn growths_are_spread_over_the_first_part_of_a_run() {
    let config = GrowerConfig::new(RandomNeuron::zero_fan_out(), PerLayer::DOUBLE)
        .with_trigger(Trigger::Spread {
            growths: 2,
            until: 0.4,
        })
        .with_max_epochs(20);
    let mut run = grower(config);
    run.run().expect("runs");
    let epochs: Vec<usize> = run
        .state()
        .journal
        .iter()
        .map(|record| record.epoch)
        .collect();
    assert_eq!(epochs, [4, 8]);
    let widths = run.graph().widths();
    assert!(widths.iter().all(|(_, width)| *width == 8), "{widths:?}");
    for record in &run.state().journal {
        assert_eq!(record.verdict, Verdict::Committed);
        assert!(record.output_change_at_zero <= 1e-5);
        // Nothing reads the new neurons, so that the loss is what it was.
        let change = record.held_loss_after - record.held_loss_before;
        assert!(change.abs() < 1e-5, "{change}");
    }
}

#[test]
fn a_run_taken_epoch_by_epoch_is_the_run() {
    let config = || {
        GrowerConfig::new(RandomNeuron::zero_fan_out(), PerLayer::DOUBLE)
            .with_trigger(Trigger::Every { epochs: 3 })
            .with_max_growths(1)
            .with_max_epochs(5)
    };
    let mut whole = grower(config());
    whole.run().expect("runs");
    let mut parts = grower(config());
    let mut seen = Vec::new();
    let ended = loop {
        match parts.advance().expect("runs") {
            Advance::Ended(outcome) => break outcome,
            other => seen.push(other),
        }
    };
    let (epoch, growth) = (Advance::Epoch, Advance::GrowthStep);
    let expected = [&epoch, &epoch, &epoch, &growth, &epoch, &epoch].map(Clone::clone);
    assert_eq!(seen, expected);
    assert_eq!(ended, Outcome::Stopped(StopReason::EpochLimit));
    assert!(bits(whole.model()) == bits(parts.model()));
    let again = parts.advance().expect("it has ended");
    assert_eq!(again, Advance::Ended(ended));
}

#[test]
fn splits_of_a_whole_layer_by_a_common_factor() {
    let half = PerLayer::new(0.5).expect("in range");
    let config = GrowerConfig::new(SteepestDescent, half)
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_growths(1)
        .with_max_epochs(3);
    let mut run = grower(config);
    run.run().expect("runs");
    let global = Fraction::new(0.5).expect("in range");
    let mut other = grower(
        GrowerConfig::new(SteepestDescent, global)
            .with_trigger(Trigger::Every { epochs: 2 })
            .with_max_growths(1)
            .with_max_epochs(3),
    );
    other.run().expect("runs");
    let widths = |run: &Grower<Mlp>| -> Vec<usize> {
        run.graph()
            .widths()
            .into_iter()
            .map(|(_, width)| width)
            .collect()
    };
    assert_eq!(widths(&run), [3, 3]);
    assert_eq!(widths(&other).iter().sum::<usize>(), 6);
}
