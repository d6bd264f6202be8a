//! What growths add: a rate of its own, and running statistics of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Criterion, GradMax, RandomNeuron, Tiny};
use burgeon_core::growth::Growth;
use burgeon_core::select::{PerLayer, Selector, TopK};
use burgeon_nn::{CrossEntropy, NnError, trace};
use burgeon_train::observer::{Event, Observer};
use burgeon_train::{
    Accept, FanIn, Grower, GrowerConfig, GrowthConfig, GrowthStep, Made, NewStatistics,
    NewWeightRate, Outcome, StepSize, Subject, Trigger, Verdict,
};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::network::{Mlp, adam, bits, config, digits, grower, refused, task};

/// Doubles twice; 7 batches an epoch.
fn doubling() -> GrowerConfig {
    let mut settings = config().with_trigger(Trigger::Every { epochs: 2 });
    settings.criterion = Arc::new(RandomNeuron::zero_fan_out());
    settings.selector = Arc::new(PerLayer::DOUBLE);
    settings.with_max_growths(2).with_max_epochs(7)
}

fn rate(factor: f64, steps: usize) -> NewWeightRate {
    NewWeightRate::new(factor, steps).expect("in range")
}

fn trained(settings: GrowerConfig) -> Vec<Vec<u32>> {
    let mut grower = grower(settings);
    grower.run().expect("runs");
    assert_eq!(grower.state().growths, 2);
    bits(grower.model())
}

#[test]
fn a_rate_of_their_own_moves_new_weights_otherwise() {
    let plain = trained(doubling());
    assert!(trained(doubling().with_new_weights(rate(1.0, 20))) == plain);
    let fast = trained(doubling().with_new_weights(rate(2.0, 20)));
    assert!(fast != plain);
    assert!(trained(doubling().with_new_weights(rate(2.0, 21))) != fast);
    assert!(trained(doubling().with_new_weights(rate(2.0, 20))) == fast);
}

struct InterruptAt(usize, Arc<AtomicBool>);

impl Observer for InterruptAt {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(record) = event
            && record.epoch >= self.0
        {
            self.1.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn a_run_resumes_while_weights_are_new() {
    // Longer than a phase, so that two growths' weights are new at once.
    let settings = || doubling().with_new_weights(rate(3.0, 30));
    let whole = trained(settings());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut cohorts = Vec::new();
    // Another start network each time: everything comes from the checkpoint.
    for (epochs, width) in [(2, 2), (3, 1), (4, 4), (5, 3), (usize::MAX, 1)] {
        let flag = Arc::new(AtomicBool::new(false));
        let other = Mlp::fixed(width);
        let grower = Grower::new(settings(), FLEX, task(600), other, adam()).expect("sound");
        let grower = grower.observe(InterruptAt(epochs, flag.clone()));
        let mut grower = grower
            .interrupt_by(flag)
            .checkpoint_at(&path)
            .expect("its own");
        let outcome = grower.run().expect("runs");
        cohorts.push(grower.state().newborn.cohorts().len());
        if let Outcome::Stopped(_) = outcome {
            assert!(bits(grower.model()) == whole, "the networks differ");
        }
    }
    assert!(cohorts.contains(&2), "{cohorts:?}");
    let other = Grower::new(doubling(), FLEX, task(600), Mlp::fixed(2), adam()).expect("sound");
    refused(other.checkpoint_at(&path).map(|_| ()), "new weights");
}

#[test]
fn rates_out_of_range_are_refused() {
    refused(NewWeightRate::new(0.0, 3), "above 0");
    refused(NewWeightRate::new(f64::INFINITY, 3), "above 0");
    refused(NewWeightRate::new(2.0, 0), "at least 1");
    let own = rate(3.0, 4);
    let factors: Vec<f64> = (0..6).map(|steps| own.factor(steps)).collect();
    assert_eq!(factors, [3.0, 2.5, 2.0, 1.5, 1.0, 1.0]);
}

fn made(
    criterion: impl Criterion + 'static,
    statistics: NewStatistics,
) -> Result<(Mlp, Made<Mlp>), NnError> {
    let config = GrowthConfig {
        statistics,
        ..GrowthConfig::default()
    };
    made_by(criterion, TopK::new(3)?, config)
}

fn made_by(
    criterion: impl Criterion + 'static,
    selector: impl Selector + 'static,
    settings: GrowthConfig,
) -> Result<(Mlp, Made<Mlp>), NnError> {
    // Trained, so that running statistics are what they say.
    let mut run = grower(config().with_max_growths(0).with_max_epochs(12));
    run.run().expect("runs");
    let net = run.into_model();
    let (train, held) = digits(600).split_off(0.25, 3)?;
    let step = GrowthStep::new(criterion, selector).with_config(settings);
    let subject = Subject {
        model: &net,
        trace: trace(&net, &train)?.into(),
        objective: &CrossEntropy,
        train: &train,
        held: &held,
        batch_size: 128,
        backend: &FLEX,
    };
    let made = step.run(&subject, 1)?;
    Ok((net, made))
}

/// The statistics of the new channels of a layer of width 2 and those of what it makes.
fn statistics(of: &crate::network::Hidden, input: Tensor<2>) -> (Vec<f64>, Vec<f64>) {
    let width = of.linear.weight.dims()[1];
    let new = |tensor: Tensor<1>| tensor.narrow(0, 2, width - 2);
    let made = of.linear.forward(input);
    let mean = made.clone().mean_dim(0);
    let spread = (made - mean.clone()).square().mean_dim(0);
    let flat = |tensor: Tensor<2>| new(tensor.reshape([width]));
    let both = |mean: Tensor<1>, variance: Tensor<1>| {
        let both = Tensor::cat(vec![mean, variance], 0);
        both.into_data().iter::<f64>().collect()
    };
    let kept = both(
        new(of.norm.running_mean.value()),
        new(of.norm.running_var.value()),
    );
    (kept, both(flat(mean), flat(spread)))
}

#[test]
fn statistics_of_new_neurons_are_those_that_they_have() {
    let random = RandomNeuron::zero_fan_out;
    for found in [
        made(random(), NewStatistics::Measured),
        made(Tiny::new(), NewStatistics::Measured),
    ] {
        let (_, made) = found.expect("runs");
        assert_eq!(
            made.record.verdict,
            Verdict::Committed,
            "{:#?}",
            made.record
        );
        let grown = made.grown.expect("committed").0.valid();
        let (train, _) = digits(600).split_off(0.25, 3).expect("two parts");
        let input = train.inputs().clone();
        let mut seen = 0;
        let first = statistics(&grown.hidden1, input.clone());
        let second = statistics(&grown.hidden2, grown.hidden1.forward(input));
        // Where new neurons of the first layer are read already, those of the second are not what
        // was measured: at ε = 0 nothing reads them.
        let both = match made.record.plan.is_neutral() {
            true => vec![first, second],
            false => vec![first],
        };
        for (kept, own) in both {
            for (kept, own) in kept.iter().zip(&own) {
                assert!(
                    (kept - own).abs() < 1e-3 * (1.0 + own.abs()),
                    "{kept} {own}"
                );
                seen += 1;
            }
        }
        assert!(seen > 0);
    }
    let (net, copied) = made(random(), NewStatistics::Copied).expect("runs");
    let grown = copied.grown.expect("committed").0;
    let of = |norm: &burgeon_ops::FastBatchNorm| -> Vec<f32> {
        norm.running_var.value().into_data().iter().collect()
    };
    let (before, after) = (of(&net.hidden1.norm), of(&grown.hidden1.norm));
    for (number, new) in after[2..].iter().enumerate() {
        assert_eq!(*new, before[number % 2]);
    }
}

#[test]
fn zero_fan_ins_in_front_of_normalisations_are_refused() {
    for refused_by in [
        made(RandomNeuron::zero_fan_in(), NewStatistics::Measured).err(),
        made(GradMax::new(), NewStatistics::Measured).err(),
    ] {
        let said = refused_by.expect("refused").to_string();
        assert!(
            said.contains("hidden1") && said.contains("zero fan-out"),
            "{said}"
        );
    }
}

/// Read as those there are at once, each layer then rescaled.
fn transferred(fan_in: FanIn) -> GrowerConfig {
    let mut settings = doubling();
    settings.criterion = Arc::new(RandomNeuron::on_both_sides());
    settings.growth.fan_in = fan_in;
    settings.with_step_size(StepSize::Fixed {
        epsilon: 1.0,
        accept: Accept::Always,
    })
}

#[test]
fn rescaled_layers_vary_as_before() {
    let mut config = transferred(FanIn::Rescaled).growth;
    config.capture_samples = 2048;
    let found = made_by(RandomNeuron::on_both_sides(), PerLayer::DOUBLE, config);
    let (before, after) = found.expect("runs");
    let record = after.record;
    assert_eq!(record.verdict, Verdict::Committed);
    let factors = record.fan_in_factors.iter();
    let paths: Vec<&str> = factors.map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["hidden2.linear.weight", "output.weight"]);
    let between = |factor: f64| (0.2..2.0).contains(&factor);
    assert!(
        record
            .fan_in_factors
            .iter()
            .all(|(_, factor)| between(*factor))
    );
    let after = after.grown.expect("committed").0;
    let made = |net: &Mlp| {
        let net = net.valid();
        let (train, _) = digits(600).split_off(0.25, 3).expect("two parts");
        let first = net.hidden1.forward(train.inputs().clone());
        let second = net.hidden2.linear.forward(first.clone());
        [second, net.output.forward(net.hidden2.forward(first))]
    };
    let spread = |tensor: Tensor<2>| {
        let mean = tensor.clone().mean_dim(0);
        (tensor - mean).square().mean().into_scalar::<f32>()
    };
    let (old, new) = (made(&before), made(&after));
    // `hidden2` got wider itself: the outputs that read as before are compared.
    for (old, new) in old.into_iter().zip(new) {
        let columns = old.dims()[1];
        let (old, new) = (spread(old), spread(new.narrow(1, 0, columns)));
        assert!((new / old - 1.0).abs() < 1e-3, "{old} {new}");
    }
}

#[test]
fn rescaled_growths_replay_to_the_same_network() {
    let mut first = grower(transferred(FanIn::Rescaled));
    first.run().expect("runs");
    let mut again = grower(transferred(FanIn::Kept)).replay(first.state().journal.clone());
    again.run().expect("runs");
    assert!(bits(first.model()) == bits(again.model()));
    let kept = trained(transferred(FanIn::Kept));
    assert!(kept != bits(first.model()));
}

#[test]
fn tiny_lowers_the_loss_on_digits() {
    let (_, made) = made(Tiny::new(), NewStatistics::Measured).expect("runs");
    let record = &made.record;
    assert_eq!(record.verdict, Verdict::Committed, "{record:#?}");
    assert!(record.held_loss_after < record.held_loss_before);
    assert!(
        record
            .plan
            .growths()
            .all(|growth| matches!(growth, Growth::NewNeuron(new)
        if new.fan_in.iter().any(|v| *v != 0.0) && new.fan_out.iter().any(|v| *v != 0.0)))
    );
}
