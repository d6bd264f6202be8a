//! The grower: growth on real data, checkpoints, journals, and what it refuses.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burgeon_backend_flex::Flex;
use burgeon_core::criterion::{RandomSplit, SteepestDescent};
use burgeon_core::select::{Fraction, TopK};
use burgeon_core::{Activation, Plan, SplitBackend};
use burgeon_data::optdigits;
use burgeon_nn::grower::{Accept, EpochRecord, GrowthRecord, Outcome, StopReason, Verdict};
use burgeon_nn::observer::{Event, Journal, Observer, read_journal};
use burgeon_nn::surgery::{apply_plan, carry_optimizer};
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{
    CrossEntropy, Growable, GrowableLinear, GrowableLinearConfig, Grower, GrowerConfig,
    LearningRate, NnError, Samples, StepSize, Task, Topology, Trigger,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};

#[derive(Module, Debug)]
struct Mlp {
    hidden1: GrowableLinear,
    hidden2: GrowableLinear,
    output: Linear,
}

impl Mlp {
    fn new(inputs: usize, width: usize, device: &Device) -> Self {
        let hidden = |inputs| {
            GrowableLinearConfig::new(inputs, width)
                .with_activation(Activation::Silu)
                .with_norm(true)
                .init(device)
                .expect("widths are positive")
        };
        Self {
            hidden1: hidden(inputs),
            hidden2: hidden(width),
            output: LinearConfig::new(width, 10).init(device),
        }
    }

    /// The same weights every time, whatever other tests draw meanwhile.
    fn fixed(width: usize) -> Self {
        let mut index = 0.0_f32;
        struct Fix<'a>(&'a mut f32);
        impl burn::module::ModuleMapper for Fix<'_> {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let (id, tensor, mapper) = param.consume();
                let shape = tensor.dims();
                let values: Vec<f32> = (0..shape.iter().product())
                    .map(|_| {
                        *self.0 += 1.0;
                        let wave = (*self.0 * 12.9898).sin() * 0.3;
                        if D == 1 { wave.abs() + 0.5 } else { wave }
                    })
                    .collect();
                let plain = Tensor::from_data(TensorData::new(values, shape), &Flex.device());
                let leaf = Tensor::from_inner(plain).set_require_grad(tensor.is_require_grad());
                Param::from_mapped_value(id, leaf, mapper)
            }
        }
        Self::new(64, width, &Flex.device().autodiff()).map(&mut Fix(&mut index))
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output
            .forward(self.hidden2.forward(self.hidden1.forward(input)))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("hidden1", &self.hidden1)
            .layer("hidden2", &self.hidden2)
            .layer("output", &self.output)
            .build()
    }
}

fn digits(count: usize) -> Samples<Tensor<2>> {
    let train = optdigits::load().expect("embedded").train;
    let device = Flex.device();
    let pixels = train.pixels[..count * 64].to_vec();
    let inputs = Tensor::from_data(TensorData::new(pixels, [count, 64]), &device);
    Samples::classification(inputs, &train.labels[..count], 10, &device).expect("sound")
}

fn task(count: usize) -> Task<Tensor<2>> {
    let (train, held) = digits(count)
        .split_off(0.25, 3)
        .expect("both parts have samples");
    Task {
        objective: Box::new(CrossEntropy),
        train,
        held,
    }
}

fn config() -> GrowerConfig {
    GrowerConfig::new(SteepestDescent, Fraction::new(0.5).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_epochs(9)
        .with_learning_rate(LearningRate::Constant(0.02))
        .with_capture_samples(200)
        .with_batch_size(64)
        .with_max_refusals(10)
        .with_seed(5)
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

fn grower(config: GrowerConfig) -> Grower<Mlp> {
    Grower::new(config, Flex, task(600), Mlp::fixed(2), adam()).expect("sound settings")
}

/// All floats of a model, bit for bit.
fn bits<M: Module>(model: &M) -> Vec<Vec<u32>> {
    struct Bits(Vec<Vec<u32>>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().into_data().try_to_vec::<f32>().expect("f32");
            self.0.push(values.into_iter().map(f32::to_bits).collect());
        }
    }
    let mut bits = Bits(Vec::new());
    model.visit(&mut bits);
    bits.0
}

fn committed(grower: &Grower<Mlp>) -> usize {
    let journal = &grower.state().journal;
    journal
        .iter()
        .filter(|record| record.verdict == Verdict::Committed)
        .count()
}

/// Interrupts a run after a number of epochs, or in the middle of the next one.
struct InterruptAfter {
    epochs: usize,
    flag: Arc<AtomicBool>,
}

impl Observer for InterruptAfter {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(EpochRecord { epoch, .. }) = event
            && *epoch >= self.epochs
        {
            self.flag.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

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
    let widths = grower.model().topology().expect("fits").widths();
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
fn an_interrupted_run_resumes_to_the_same_result() {
    let mut whole = grower(config());
    whole.run().expect("runs");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let journal = folder.path().join("journal.jsonl");
    let mut resumed = 0;
    // Another start network each time: everything comes from the checkpoint.
    for (epochs, width) in [(1, 2), (3, 5), (4, 3), (6, 1), (usize::MAX, 4)] {
        let flag = Arc::new(AtomicBool::new(false));
        let mut grower = Grower::new(config(), Flex, task(600), Mlp::fixed(width), adam())
            .expect("sound")
            .observe(InterruptAfter {
                epochs,
                flag: flag.clone(),
            })
            .observe(Journal::new(&journal))
            .interrupt_by(flag)
            .checkpoint_at(&path)
            .expect("the checkpoint is this run's");
        match grower.run().expect("runs") {
            Outcome::Interrupted => resumed += 1,
            Outcome::Stopped(_) => {
                assert!(
                    bits(grower.model()) == bits(whole.model()),
                    "the networks differ"
                );
                let without_time = |records: &[GrowthRecord]| -> Vec<GrowthRecord> {
                    let same = |r: &GrowthRecord| GrowthRecord {
                        seconds: 0.0,
                        ..r.clone()
                    };
                    records.iter().map(same).collect()
                };
                let written = read_journal(&journal).expect("a journal");
                assert_eq!(without_time(&written), without_time(&whole.state().journal));
                assert_eq!(grower.state().epochs, whole.state().epochs);
            }
        }
    }
    assert_eq!(resumed, 4);
}

#[test]
fn a_journal_replays_to_the_same_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let mut first = grower(config()).observe(Journal::new(&path));
    first.run().expect("runs");
    assert!(committed(&first) >= 2);
    let journal = read_journal(&path).expect("a journal");
    // Another criterion would choose other growths: the replay does not ask it.
    let other = GrowerConfig::new(RandomSplit, TopK::new(1).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_learning_rate(LearningRate::Constant(0.02))
        .with_max_epochs(9)
        .with_batch_size(64)
        .with_max_refusals(10)
        .with_seed(5);
    let mut second = grower(other).replay(journal);
    second.run().expect("runs");
    assert!(
        bits(first.model()) == bits(second.model()),
        "the networks differ"
    );
}

#[test]
fn grown_weights_load_into_a_fresh_model() {
    let mut grower = grower(config());
    grower.run().expect("runs");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    save_weights(grower.model(), &path).expect("writable");
    let loaded = load_weights(&Mlp::fixed(2), &path).expect("this model's weights");
    assert!(bits(&loaded) == bits(grower.model()), "the weights differ");
    let narrow = LinearConfig::new(3, 4).init(&Flex.device());
    let error = load_weights(&narrow, &path).expect_err("another model");
    assert!(error.to_string().contains("holds no"), "{error}");
}

#[test]
fn a_budget_is_never_exceeded_and_spent() {
    let mut grower = grower(config().with_parameter_budget(500).with_max_epochs(40));
    let outcome = grower.run().expect("runs");
    let last = grower.state().epochs.last().expect("trained");
    assert!(last.parameters <= 500, "{}", last.parameters);
    assert_eq!(outcome, Outcome::Stopped(StopReason::ParameterBudget));
    assert!(last.parameters > 400, "{}", last.parameters);
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
    assert_eq!(
        outcome,
        Outcome::Stopped(StopReason::Refused(Verdict::NoDecrease))
    );
    let widths = grower.model().topology().expect("fits").widths();
    assert!(widths.iter().all(|(_, width)| *width == 2));
}

#[test]
fn a_contradicted_prediction_is_rolled_back() {
    // A bound far below what terms of third order amount to.
    let config = config().with_prediction_bound(1e-9).with_max_refusals(1);
    let mut grower = grower(config);
    let outcome = grower.run().expect("runs");
    let expected = StopReason::Refused(Verdict::PredictionContradicted);
    assert_eq!(outcome, Outcome::Stopped(expected));
    let record = &grower.state().journal[0];
    assert!(record.measured_decrease.is_some());
    assert_eq!(record.parameters_before, record.parameters_after);
}

/// Divides the features by their sum, a mixing that its topology does not tell of.
#[derive(Module, Debug)]
struct Undeclared {
    inner: Mlp,
}

impl Growable for Undeclared {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self
            .inner
            .hidden2
            .forward(self.inner.hidden1.forward(input));
        let sum = x.clone().abs().sum_dim(1).add_scalar(1.0);
        self.inner.output.forward(x / sum)
    }

    fn topology(&self) -> Result<Topology, NnError> {
        self.inner.topology()
    }
}

#[test]
fn a_changed_output_at_zero_is_rolled_back() {
    let model = Undeclared {
        inner: Mlp::fixed(2),
    };
    let config = config().with_max_refusals(1);
    let mut grower = Grower::new(config, Flex, task(600), model, adam()).expect("sound");
    let outcome = grower.run().expect("runs");
    assert_eq!(
        outcome,
        Outcome::Stopped(StopReason::Refused(Verdict::OutputChanged))
    );
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

/// One training step of `model` at a learning rate of `rate`.
fn step(
    model: Mlp,
    optimizer: &mut ModuleOptimizer,
    samples: &Samples<Tensor<2>>,
    rate: f64,
) -> Mlp {
    let output = model.predict(Tensor::from_inner(samples.inputs().clone()));
    let burgeon_nn::Targets::Classes(classes) = samples.targets() else {
        unreachable!("digits have classes");
    };
    let targets = burgeon_nn::Targets::Classes(Tensor::from_inner(classes.clone()));
    let loss = burgeon_nn::Objective::loss(&CrossEntropy, output, &targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    optimizer.step(rate, model, gradients)
}

/// MATH §7: at ε = 0 the carried state is what the grown network's own gradients would
/// have built up.
#[test]
fn optimizer_state_is_carried_exactly() {
    let optimizers: [fn() -> ModuleOptimizer; 3] = [
        || {
            SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new()))
                .init()
        },
        || AdamConfig::new().init(),
        || AdamWConfig::new().init(),
    ];
    let samples = digits(128);
    for make in optimizers {
        let model = Mlp::fixed(3);
        let topology = model.topology().expect("fits");
        let plan = both_layers(&topology);
        let mut optimizer = make();
        let mut parent = model.clone();
        for _ in 0..3 {
            // At rate 0 the weights stay, so the gradient is the same at each step.
            parent = step(parent, &mut optimizer, &samples, 0.0);
        }
        let (grown, edits) = apply_plan(&parent, &topology, &plan, 0.0).expect("fits");
        let mut carried = carry_optimizer(optimizer, &edits).expect("a known optimizer");
        let mut own = make();
        let mut child = grown;
        for _ in 0..3 {
            child = step(child, &mut own, &samples, 0.0);
        }
        let (found, expected) = (moments(&carried), moments(&own));
        assert_eq!(found.len(), expected.len());
        for ((name, a), (other, b)) in found.iter().zip(&expected) {
            assert_eq!(name, other);
            let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for (x, y) in a.iter().zip(b) {
                assert!(
                    (x - y).abs() <= 2e-5 * scale + 1e-7,
                    "{name}: {x:e} {y:e} of {scale:e}"
                );
            }
            assert_eq!(a.len(), b.len(), "{name}");
        }
        // And training goes on.
        let before = bits(&child);
        let after = step(child, &mut carried, &samples, 0.01);
        assert!(before != bits(&after), "training does not go on");
    }
}

/// A split in each layer.
fn both_layers(topology: &Topology) -> Plan {
    use burgeon_core::criterion::Candidate;
    let candidates = topology.sites().map(|(name, site)| {
        let mut direction = vec![0.0; site.dim];
        direction[0] = 1.0;
        Candidate {
            site: name.to_owned(),
            neuron: 1,
            scheme: burgeon_core::Scheme::Positive2,
            offspring: burgeon_core::Scheme::Positive2.offspring(
                &direction,
                &direction,
                burgeon_core::WeightBound::POSITIVE,
            ),
            gain: None,
            score: 0.0,
            cost: 0,
        }
    });
    Plan::new("test", candidates.collect())
}

/// All tensors of an optimizer's state, in a fixed order.
fn moments(optimizer: &ModuleOptimizer) -> Vec<(String, Vec<f64>)> {
    let bytes = optimizer.to_record().into_bytes().expect("serialisable");
    let tensors = burn_pack::Reader::from_bytes(bytes)
        .expect("readable")
        .into_tensors();
    let mut all: Vec<(String, Vec<f64>)> = tensors
        .expect("readable")
        .into_iter()
        .map(|tensor| {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().expect("in memory");
            let data = TensorData::from_bytes(bytes, shape, dtype);
            let values = data.convert::<f64>().try_to_vec().expect("f64");
            (name, values)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn refused(result: Result<impl std::fmt::Debug, NnError>, expected: &str) {
    let error = result.expect_err("bad input").to_string();
    assert!(
        error.contains(expected),
        "`{error}` does not say `{expected}`"
    );
}

#[test]
fn bad_input_gets_an_error_that_says_what_to_do() {
    let device = Flex.device();
    let training = device.clone().autodiff();
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
    refused(
        GrowableLinearConfig::new(3, 0).init(&training),
        "at least 1",
    );
    refused(
        GrowableLinearConfig::new(0, 3).init(&training),
        "at least 1",
    );
    let make = |config| Grower::new(config, Flex, task(100), Mlp::fixed(2), adam());
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
    let task_with = |train| Task {
        objective: Box::new(CrossEntropy) as Box<_>,
        train,
        held: held.clone(),
    };
    let unfit = task_with(wrong.expect("sound in itself"));
    refused(
        Grower::new(config(), Flex, unfit, Mlp::fixed(2), adam()),
        "needs 12 outputs",
    );
    let plain = Mlp::fixed(2).valid();
    refused(
        Grower::new(config(), Flex, task(100), plain, adam()),
        "autodiff",
    );
    let mut broken = Mlp::fixed(2);
    broken.output = nan(broken.output);
    refused(
        Grower::new(config(), Flex, task(100), broken, adam()),
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

#[test]
fn a_topology_that_does_not_fit_is_refused() {
    let device = Flex.device().autodiff();
    let net = Mlp::fixed(2);
    let wide = LinearConfig::new(7, 10).init(&device);
    let chain = Topology::chain()
        .layer("hidden1", &net.hidden1)
        .layer("output", &wide)
        .build();
    refused(chain, "reads 7 inputs");
    let none = Topology::chain().layer("output", &net.output).build();
    refused(none, "no layer can grow");
    let grouped = burn::nn::conv::Conv2dConfig::new([4, 4], [3, 3])
        .with_groups(2)
        .init(&device);
    let unfit = Topology::chain()
        .layer("hidden1", &net.hidden1)
        .layer("grouped", &grouped)
        .build();
    refused(unfit, "GrowableDepthwiseConv2d");
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_refused_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut run = grower(config().with_max_epochs(2))
        .checkpoint_at(&path)
        .expect("new");
    run.run().expect("runs");
    let good = std::fs::read(&path).expect("written");
    let resume = |config| grower(config).checkpoint_at(&path);
    refused(resume(config().with_max_epochs(3)), "other settings");

    let try_bytes = |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).expect("writable");
        refused(resume(config().with_max_epochs(2)), expected);
        assert_eq!(std::fs::read(&path).expect("still there"), bytes);
    };
    try_bytes(b"not a checkpoint", "not a checkpoint");
    try_bytes(&good[..good.len() - 7], "damaged");
    let mut flipped = good.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 1;
    try_bytes(&flipped, "damaged");
    let foreign = folder.path().join("weights.safetensors");
    save_weights(&Mlp::fixed(2), &foreign).expect("writable");
    try_bytes(
        &std::fs::read(&foreign).expect("readable"),
        "not a checkpoint",
    );
    let nowhere = Path::new("/proc/none/run.checkpoint");
    let mut unwritable = grower(config())
        .checkpoint_at(nowhere)
        .expect("nothing is there yet");
    refused(unwritable.run(), "/proc/none");
}

#[test]
fn an_observer_sees_every_event_in_order() {
    struct Counter(Arc<AtomicUsize>);
    impl Observer for Counter {
        fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
            let seen = self.0.fetch_add(1, Ordering::Relaxed);
            assert_eq!(matches!(event, Event::Started(_)), seen == 0);
            Ok(())
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let mut grower = grower(config()).observe(Counter(count.clone()));
    grower.run().expect("runs");
    let state = grower.state();
    let expected = 2 + state.epochs.len() + state.journal.len();
    assert_eq!(count.load(Ordering::Relaxed), expected);
}
