//! Growth steps by criteria that look at gradients of over-grown networks.

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::{Criterion, Firefly, GradMax, RandomNeuron, Refinement, Tiny};
use burgeon_core::growth::Growth;
use burgeon_core::select::TopK;
use burgeon_nn::{CrossEntropy, Growable, NnError, trace};
use burgeon_train::{Grower, GrowthStep, Made, Subject, Verdict};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::{elu, relu, silu};

use crate::network::{adam, bits, config, digits, fixed, task};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bend {
    Relu,
    Silu,
    Elu,
}

#[derive(Module, Debug)]
struct Net {
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
    #[module(skip)]
    bend: Bend,
}

impl Net {
    fn new(bend: Bend) -> Self {
        let device = FLEX.device().autodiff();
        fixed(Self {
            hidden1: LinearConfig::new(64, 4).init(&device),
            hidden2: LinearConfig::new(4, 5).init(&device),
            output: LinearConfig::new(5, 10).init(&device),
            bend,
        })
    }

    fn bent(&self, x: Tensor<2>) -> Tensor<2> {
        match self.bend {
            Bend::Relu => relu(x),
            Bend::Silu => silu(x),
            Bend::Elu => elu(x, 1.0),
        }
    }
}

impl Growable for Net {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.bent(self.hidden1.forward(input));
        self.output.forward(self.bent(self.hidden2.forward(hidden)))
    }
}

fn made(
    net: &Net,
    criterion: impl Criterion + 'static,
    count: usize,
) -> Result<Made<Net>, NnError> {
    let (train, held) = digits(400).split_off(0.25, 3)?;
    let step = GrowthStep::new(criterion, TopK::new(count)?);
    let subject = Subject {
        model: net,
        trace: trace(net, &train)?.into(),
        objective: &CrossEntropy,
        train: &train,
        held: &held,
        batch_size: 64,
        backend: &FLEX,
    };
    let before = bits(net);
    let made = step.run(&subject, 1)?;
    assert!(
        bits(net) == before,
        "candidates that are not chosen leave no trace"
    );
    Ok(made)
}

fn few() -> Refinement {
    let rate = Refinement::PAPER.with_learning_rate(0.01);
    rate.expect("above 0").with_steps(6)
}

#[test]
fn firefly_lowers_the_loss_by_splits_and_new_neurons() {
    for bend in [Bend::Relu, Bend::Silu] {
        let net = Net::new(bend);
        let (mut splits, mut new) = (0, 0);
        for way in [Firefly::splits(), Firefly::new_neurons(), Firefly::new()] {
            let made = made(&net, way.with_refinement(few()), 6).expect("runs");
            let record = &made.record;
            assert_eq!(record.verdict, Verdict::Committed, "{record:#?}");
            assert!(record.held_loss_after < record.held_loss_before);
            assert!(
                record
                    .measured_decrease
                    .is_some_and(|decrease| decrease > 0.0)
            );
            assert!(
                record
                    .predicted_decrease
                    .is_some_and(|decrease| decrease > 0.0)
            );
            assert_eq!(record.plan.growths.len(), 6);
            for growth in record.plan.growths() {
                match growth {
                    Growth::Split(_) => splits += 1,
                    Growth::NewNeuron(_) => new += 1,
                    other => panic!("{other}"),
                }
            }
        }
        assert!(
            splits >= 6 && new >= 6,
            "{splits} splits, {new} new neurons"
        );
    }
}

#[test]
fn what_candidates_cost_is_counted() {
    let net = Net::new(Bend::Silu);
    let macs = |criterion: Firefly| made(&net, criterion, 2).expect("runs").record.macs;
    let none = Firefly::splits().with_refinement(Refinement::PAPER.with_steps(0));
    let some = Firefly::splits().with_refinement(Refinement::PAPER.with_steps(5));
    let more = none.with_points(6).expect("some");
    // Twice as wide: 64·8 + 8·10 + 10·10 products, forward and backward.
    let pass = 3 * (64 * 8 + 8 * 10 + 10 * 10);
    // Five minibatches are all 300 samples once.
    assert_eq!(macs(some) - macs(none), 300 * pass);
    assert_eq!(macs(more) - macs(none), 3 * 300 * pass);
}

#[test]
fn gradmax_starts_still_and_learns() {
    for bend in [Bend::Silu, Bend::Elu] {
        let net = Net::new(bend);
        let made = made(&net, GradMax::new(), 3).expect("runs");
        assert_eq!(made.record.verdict, Verdict::Committed);
        let change = made.record.held_loss_after - made.record.held_loss_before;
        assert!(change.abs() < 1e-5, "nothing changes yet: {change}");
        let (grown, _) = made.grown.expect("committed");
        let news = [
            grown
                .hidden1
                .weight
                .val()
                .narrow(1, 4, grown.hidden1.weight.dims()[1] - 4),
            grown
                .hidden2
                .weight
                .val()
                .narrow(1, 5, grown.hidden2.weight.dims()[1] - 5),
        ];
        let total = |news: &[Tensor<2>]| -> f32 {
            let sums = news.iter().filter(|new| new.dims()[1] > 0);
            sums.map(|new| new.clone().abs().sum().into_scalar::<f32>())
                .sum()
        };
        assert_eq!(total(&news), 0.0);
    }
}

#[test]
fn tiny_lowers_the_loss() {
    for bend in [Bend::Relu, Bend::Silu, Bend::Elu] {
        let net = Net::new(bend);
        let made = made(&net, Tiny::new(), 4).expect("runs");
        let record = &made.record;
        assert_eq!(record.verdict, Verdict::Committed, "{record:#?}");
        assert!(record.held_loss_after < record.held_loss_before);
        let decrease = record.measured_decrease.expect("measured");
        assert!(decrease > 0.0 && record.predicted_decrease.is_some_and(|p| p > 0.0));
    }
}

#[test]
fn gradmax_behind_a_relu_moves_at_once() {
    let net = Net::new(Bend::Relu);
    let made = made(&net, GradMax::new(), 3).expect("runs");
    assert_eq!(
        made.record.verdict,
        Verdict::Committed,
        "{:#?}",
        made.record
    );
    assert!(made.record.held_loss_after < made.record.held_loss_before);
    for growth in made.record.plan.growths() {
        let Growth::NewNeuron(new) = growth else {
            panic!("{growth}")
        };
        assert!(new.fan_in.iter().any(|value| *value != 0.0));
    }
}

#[test]
fn a_dead_start_is_measured() {
    // ELU has a kink in its curvature and a slope of 1 at 0.
    assert!(made(&Net::new(Bend::Elu), RandomNeuron::zero_fan_in(), 2).is_ok());
    let dead = made(&Net::new(Bend::Relu), RandomNeuron::zero_fan_in(), 2);
    let error = dead.expect_err("they would never learn").to_string();
    assert!(
        error.contains("hidden1") && error.contains("zero fan-out"),
        "{error}"
    );
}

#[test]
fn a_run_by_either_is_fixed_by_its_seed() {
    let run = |criterion: std::sync::Arc<dyn Criterion>| {
        let mut settings = config().with_max_epochs(5);
        settings.criterion = criterion;
        let net = Net::new(Bend::Silu);
        let mut grower = Grower::new(settings, FLEX, task(400), net, adam()).expect("sound");
        grower.run().expect("runs");
        let journal = grower.state().journal.clone();
        assert!(
            journal.iter().any(|r| r.verdict == Verdict::Committed),
            "{journal:#?}"
        );
        bits(grower.model())
    };
    let firefly = Firefly::new()
        .with_new_neurons(4)
        .expect("some")
        .with_refinement(few());
    assert!(run(std::sync::Arc::new(firefly)) == run(std::sync::Arc::new(firefly)));
    let tiny = Tiny::new();
    assert!(run(std::sync::Arc::new(tiny)) == run(std::sync::Arc::new(tiny)));
    let gradmax = GradMax::new();
    assert!(run(std::sync::Arc::new(gradmax)) == run(std::sync::Arc::new(gradmax)));
}
