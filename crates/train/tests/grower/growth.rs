//! Growth on real data: what is made, what is refused, when it ends.

use std::sync::{Arc, Mutex};

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::{CostModel, Macs};
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Knapsack;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::{Growable, NnError};
use burgeon_train::observer::{Event, Observer};
use burgeon_train::{
    Accept, Grower, GrowerConfig, GrowthEnd, Outcome, SearchSamples, StepSize, StopReason, Trigger,
    Verdict,
};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::network::{Mlp, adam, bits, committed, config, grower, task};

#[test]
fn a_network_grows_and_its_loss_falls() {
    let mut grower = grower(config());
    assert_eq!(
        grower.run().expect("runs"),
        Outcome::Stopped(StopReason::EpochLimit)
    );
    let state = grower.state();
    assert!(committed(&grower) >= 2, "{:#?}", state.journal);
    for record in state
        .journal
        .iter()
        .filter(|r| r.verdict == Verdict::Committed)
    {
        assert!(record.epsilon > 0.0);
        assert!(record.held_loss_after < record.held_loss_before);
        assert!(record.parameters_after > record.parameters_before);
        assert!(record.output_change_at_zero <= 1e-5);
        assert!(
            record
                .predicted_decrease
                .is_some_and(|decrease| decrease > 0.0)
        );
    }
    assert!(state.epochs[8].train_loss < 0.8 * state.epochs[0].train_loss);
    let widths = grower.graph().widths();
    assert!(widths.iter().all(|(_, width)| *width > 2), "{widths:?}");
}

#[test]
fn a_seed_fixes_a_run_bit_for_bit() {
    let run = |seed| {
        let mut grower = grower(config().with_seed(seed));
        grower.run().expect("runs");
        bits(grower.model())
    };
    assert!(run(1) == run(1), "the same seed gives two networks");
    assert!(run(1) != run(2), "two seeds give one network");
}

#[test]
fn the_step_may_be_chosen_on_the_captured_samples() {
    let all = config().with_search_samples(SearchSamples::Captured);
    let mut grower = grower(all.with_capture_samples(usize::MAX));
    grower.run().expect("runs");
    assert!(committed(&grower) >= 2);
    for record in &grower.state().journal {
        let losses: Vec<f64> = record
            .trials
            .iter()
            .filter_map(|trial| trial.loss)
            .collect();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let chosen = record
            .trials
            .iter()
            .find(|trial| trial.epsilon == record.epsilon);
        assert_eq!(chosen.and_then(|trial| trial.loss), Some(least));
        assert!(
            record
                .measured_decrease
                .is_some_and(|decrease| decrease > 0.0)
        );
        // The held loss is recorded, and is another.
        assert!((least - record.held_loss_after).abs() > 1e-6, "{record:#?}");
        assert_ne!(record.held_loss_before, record.held_loss_after);
    }
}

#[test]
fn a_budget_is_never_exceeded_and_spent() {
    let mut grower = grower(
        config()
            .with_parameter_budget(500)
            .with_end_of_growth(true)
            .with_max_epochs(40),
    );
    let outcome = grower.run().expect("runs");
    let last = grower.state().epochs.last().expect("trained");
    assert!(last.parameters <= 500, "{}", last.parameters);
    assert_eq!(
        outcome,
        Outcome::Stopped(StopReason::GrowthEnded(GrowthEnd::ParameterBudget))
    );
    assert!(last.parameters > 400, "{}", last.parameters);
}

#[test]
fn a_cost_budget_is_never_exceeded_and_spent_step_by_step() {
    const BUDGET: u64 = 500;
    let start = config().with_cost_budget(Macs, BUDGET).with_step_share(0.5);
    let config = GrowerConfig::new(SteepestDescent, Knapsack);
    let config = config
        .with_cost_budget(Macs, BUDGET)
        .with_step_share(0.5)
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_refusals(5)
        .with_max_epochs(40);
    for config in [start, config] {
        let mut grower = grower(config);
        grower.run().expect("runs");
        let layers = layer_shapes(grower.model(), &task(10).held).expect("runs");
        let cost = Macs.cost(&layers);
        assert!(cost <= BUDGET && cost > BUDGET * 4 / 5, "{cost}");
        assert!(committed(&grower) >= 2);
        for record in &grower.state().journal {
            let added: u64 = record.plan.growths.iter().map(|growth| growth.price).sum();
            assert!(added <= BUDGET / 2, "{added} at once");
        }
    }
    let adam = adam();
    let model = Mlp::fixed(2);
    let config = self::config().with_cost_budget(Macs, 3);
    let refused = Grower::new(config, FLEX, task(10), model, adam);
    let said = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(said.contains("3 MACs"), "{said}");
}

#[test]
fn a_step_without_decrease_is_refused_and_nothing_changes() {
    // At ε = 50 no split of a trained digit net helps.
    let config = config()
        .with_step_size(StepSize::Fixed {
            epsilon: 50.0,
            accept: Accept::Decrease,
        })
        .with_max_refusals(1);
    let mut grower = grower(config);
    let outcome = grower.run().expect("runs");
    // Growing ends, training does not.
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    let expected = GrowthEnd::Refused(Verdict::NoDecrease);
    assert_eq!(grower.state().growing_ended, Some(expected));
    assert_eq!(grower.state().journal.len(), 1);
    assert_eq!(grower.state().epoch, 9);
    let widths = grower.graph().widths();
    assert!(widths.iter().all(|(_, width)| *width == 2));
}

#[test]
fn a_contradicted_prediction_is_rolled_back() {
    // A bound far below what terms of third order amount to.
    let config = config().with_prediction_bound(1e-9).with_max_refusals(1);
    let mut grower = grower(config);
    let outcome = grower.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    let expected = GrowthEnd::Refused(Verdict::PredictionContradicted);
    assert_eq!(grower.state().growing_ended, Some(expected));
    let record = &grower.state().journal[0];
    assert!(record.measured_decrease.is_some());
    assert_eq!(record.parameters_before, record.parameters_after);
}

/// Divides the features by the root of their number, which a trace cannot tell from any other
/// number.
#[derive(Module, Debug)]
struct Scaled {
    inner: Mlp,
}

impl Growable for Scaled {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self
            .inner
            .hidden2
            .forward(self.inner.hidden1.forward(input));
        let features = x.dims()[1] as f64;
        self.inner.output.forward(x.div_scalar(features.sqrt()))
    }
}

#[test]
fn a_changed_output_at_zero_is_rolled_back() {
    let model = Scaled {
        inner: Mlp::fixed(2),
    };
    let config = config().with_max_refusals(1);
    let mut grower = Grower::new(config, FLEX, task(600), model, adam()).expect("sound");
    let outcome = grower.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::EpochLimit));
    let expected = GrowthEnd::Refused(Verdict::OutputChanged);
    assert_eq!(grower.state().growing_ended, Some(expected));
    let record = &grower.state().journal[0];
    assert!(record.output_change_at_zero > 1e-3);
    assert_eq!(record.widths_before, record.widths_after);
}

#[test]
fn growth_on_a_stall_and_a_target_end_the_run() {
    let config = config()
        .with_trigger(Trigger::Stall {
            patience: 1,
            min_decrease: 0.2,
            max_epochs: 5,
        })
        .with_max_epochs(60)
        .with_target_accuracy(0.5);
    let mut grower = grower(config);
    let outcome = grower.run().expect("runs");
    assert_eq!(outcome, Outcome::Stopped(StopReason::TargetAccuracy));
    assert!(grower.state().journal[0].trigger.contains("stalled"));
}

#[test]
fn an_observer_sees_every_event_in_order() {
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);
    impl Observer for Notes {
        fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
            let note = match event {
                Event::Started(state) => format!("started at {}", state.epoch),
                Event::Epoch(record) => format!("epoch {}", record.epoch),
                Event::Growth(record) => format!("growth {} after {}", record.step, record.epoch),
                Event::GrowingEnded(end) => format!("growing ended: {end}"),
                Event::Stopped(reason) => format!("stopped: {reason}"),
                other => format!("{other:?}"),
            };
            self.0.lock().expect("not poisoned").push(note);
            Ok(())
        }
    }
    let notes = Notes::default();
    let config = config().with_max_epochs(7).with_max_growths(2);
    let mut grower = grower(config).observe(notes.clone());
    grower.run().expect("runs");
    assert_eq!(committed(&grower), 2);
    let expected = [
        "started at 0",
        "epoch 1",
        "epoch 2",
        "growth 1 after 2",
        "epoch 3",
        "epoch 4",
        "growth 2 after 4",
        "epoch 5",
        "epoch 6",
        "growing ended: all growth steps made",
        "epoch 7",
        "stopped: all epochs trained",
    ];
    assert_eq!(*notes.0.lock().expect("not poisoned"), expected);
}

/// The output layer reads the sum of both hidden layers.
#[derive(Module, Debug)]
struct Residual {
    inner: Mlp,
}

impl Growable for Residual {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let first = self.inner.hidden1.forward(input);
        let second = self.inner.hidden2.forward(first.clone());
        self.inner.output.forward(first + second)
    }
}

#[test]
fn layers_whose_outputs_are_added_grow_together() {
    let model = Residual {
        inner: Mlp::fixed(2),
    };
    let mut grower = Grower::new(config(), FLEX, task(600), model, adam()).expect("sound");
    let sites = [("inner.hidden1.linear".to_owned(), 2)];
    assert_eq!(grower.graph().widths(), sites);
    grower.run().expect("runs");
    let Mlp {
        hidden1,
        hidden2,
        output,
    } = &grower.model().inner;
    let width = hidden1.linear.weight.dims()[1];
    assert!(width > 2, "nothing has grown");
    assert_eq!(hidden2.linear.weight.dims(), [width, width]);
    assert_eq!(output.weight.dims(), [width, 10]);
}

/// Its loss in training has ten times the output weights' squares.
#[derive(Module, Debug)]
struct Penalised {
    inner: Mlp,
}

impl Growable for Penalised {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.inner.predict(input)
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        let weight = self.inner.output.weight.val();
        Some((weight.clone() * weight).sum().mul_scalar(10.0))
    }
}

#[test]
fn a_penalty_acts_in_training_and_is_not_part_of_the_recorded_losses() {
    let size = |model: &Mlp| -> f64 {
        let weight = model.output.weight.val().inner();
        (weight.clone() * weight).sum().into_scalar::<f64>()
    };
    let still = config().with_max_growths(0).with_max_epochs(3);
    let mut plain =
        Grower::new(still.clone(), FLEX, task(600), Mlp::fixed(4), adam()).expect("sound");
    plain.run().expect("runs");
    let inner = Mlp::fixed(4);
    assert!(size(&inner) > 1.0);
    let model = Penalised { inner };
    let mut penalised = Grower::new(still, FLEX, task(600), model, adam()).expect("sound");
    penalised.run().expect("runs");
    let sizes = [size(plain.model()), size(&penalised.model().inner)];
    assert!(sizes[1] < 0.25 * sizes[0], "{sizes:?}");
    // Ten times the squares is far more than the cross entropies differ by.
    let losses = [plain.state(), penalised.state()].map(|state| state.epochs[0].train_loss);
    assert!((losses[1] - losses[0]).abs() < 1.0, "{losses:?}");
}
