//! Networks that become deeper on digits: growth steps, runs, checkpoints, journals.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::Firefly;
use burgeon_core::growth::Growth;
use burgeon_core::select::TopK;
use burgeon_core::{CostModel, SplitBackend};
use burgeon_nn::cost::graph_layers;
use burgeon_nn::stack::{ResidualConv2d, ResidualLinear, Stack, Stacks};
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples, trace};
use burgeon_ops::{FastConv2d, FastConv2dConfig};
use burgeon_train::observer::{Event, Journal, Observer, read_journal};
use burgeon_train::{
    EpochRecord, Grower, GrowerConfig, GrowthStep, Outcome, RateSchedule, Subject, Task, Trigger,
    Verdict,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use crate::network::{Mlp, adam, bits, digits, fixed, refused, task};

/// A stem, residual blocks (at first none), a head.
#[derive(Module, Debug)]
struct Deep {
    stem: Linear,
    body: Stack<ResidualLinear>,
    head: Linear,
}

impl Deep {
    fn new(width: usize) -> Self {
        let device = FLEX.device().autodiff();
        fixed(Self {
            stem: LinearConfig::new(64, width).init(&device),
            body: Stack::new(Vec::new()),
            head: LinearConfig::new(width, 10).init(&device),
        })
    }
}

impl Growable for Deep {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let stream = self.body.forward(silu(self.stem.forward(input)));
        self.head.forward(stream)
    }

    fn stacks(&mut self) -> Stacks<'_> {
        let (device, width) = (self.stem.weight.device(), self.stem.weight.dims()[1]);
        let front = move || ResidualLinear::new(width, 6, &device);
        Stacks::new().with_front("body", &mut self.body, front)
    }
}

/// Convolutions with norms.
#[derive(Module, Debug)]
struct DeepConv {
    stem: FastConv2d,
    body: Stack<ResidualConv2d>,
    head: Linear,
}

impl DeepConv {
    fn new() -> Self {
        let device = FLEX.device().autodiff();
        fixed(Self {
            stem: FastConv2dConfig::new([1, 4], [3, 3]).init(&device),
            body: Stack::new(vec![ResidualConv2d::new(4, 4, &device)]),
            head: LinearConfig::new(4, 10).init(&device),
        })
    }
}

impl Growable for DeepConv {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = self.body.forward(silu(self.stem.forward(input)));
        self.head
            .forward(silu(maps).mean_dims(&[2, 3]).flatten(1, 3))
    }

    fn stacks(&mut self) -> Stacks<'_> {
        Stacks::new().with("body", &mut self.body)
    }
}

fn settings() -> GrowerConfig {
    let one = TopK::new(1).expect("one");
    GrowerConfig::new(Firefly::new_layers(), one)
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_epochs(9)
        .with_max_growths(3)
        .with_max_refusals(10)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_capture_samples(200)
        .with_batch_size(64)
        .with_seed(5)
}

fn deep(config: GrowerConfig) -> Grower<Deep> {
    Grower::new(config, FLEX, task(600), Deep::new(6), adam()).expect("sound settings")
}

#[test]
fn a_step_makes_the_network_deeper_and_lowers_the_loss() {
    let net = Deep::new(6);
    let (train, held) = digits(400).split_off(0.25, 3).expect("both parts");
    let subject = Subject {
        model: &net,
        trace: trace(&net, &train).expect("traceable").into(),
        objective: &CrossEntropy,
        train: &train,
        held: &held,
        batch_size: 100,
        backend: &FLEX,
    };
    let step = GrowthStep::new(Firefly::new_layers(), TopK::new(1).expect("one"));
    let made = step.run(&subject, 1).expect("it runs");
    let record = &made.record;
    assert_eq!(record.verdict, Verdict::Committed);
    assert_eq!(record.output_change_at_zero, 0.0);
    assert!(record.held_loss_after < record.held_loss_before);
    assert_eq!(record.sites[0].site, "body");
    assert_eq!(record.sites[0].kinds["new layer"], 1);
    assert!(record.macs > 0);
    let (grown, _) = made.grown.expect("committed");
    assert_eq!((grown.body.len(), net.body.len()), (1, 0));
    assert_eq!(
        record.parameters_after - record.parameters_before,
        6 * 6 + 6 + 6 * 6 + 6
    );
}

#[test]
fn a_run_becomes_deeper_within_its_budget() {
    let mut grower = deep(settings());
    grower.run().expect("runs");
    let state = grower.state();
    assert!(state.growths >= 2);
    assert_eq!(grower.model().body.len(), state.growths);
    let losses: Vec<f64> = state.epochs.iter().map(|epoch| epoch.held.loss).collect();
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
    // 64·6 + 6 + 6·10 + 10 are the start's, 84 are a block's.
    let mut bounded = deep(settings().with_parameter_budget(460 + 84 + 83));
    bounded.run().expect("runs");
    assert_eq!(bounded.model().body.len(), 1);
    let graph = |model: &Deep| {
        let traced = trace(model, &digits(4)).expect("traceable");
        Macs.cost(&graph_layers(traced.graph()))
    };
    let start = graph(&Deep::new(6));
    let mut priced = deep(settings().with_cost_budget(Macs, start + 72 + 71));
    priced.run().expect("runs");
    assert_eq!(priced.model().body.len(), 1);
    assert_eq!(graph(priced.model()), start + 72);
}

#[test]
fn convolutions_become_deeper_and_wider_in_one_step() {
    let images = |count: usize| -> Samples<Tensor<4>> {
        let digits = digits(count);
        let images = digits.inputs().clone().reshape([count, 1, 8, 8]);
        digits.with_inputs(images, |values| values).expect("sound")
    };
    let (train, held) = images(300).split_off(0.25, 3).expect("both parts");
    let task = Task::new(CrossEntropy, train, held);
    let firefly = Firefly::new().with_new_neurons(2).expect("some");
    let config = GrowerConfig::new(firefly, TopK::new(6).expect("some"))
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(4)
        .with_max_growths(2)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_capture_samples(100)
        .with_batch_size(50)
        .with_seed(1);
    let mut grower = Grower::new(config, FLEX, task, DeepConv::new(), adam()).expect("sound");
    grower.run().expect("runs");
    let journal = &grower.state().journal;
    let made = journal.iter();
    let made = made.filter(|record| record.verdict == Verdict::Committed);
    let growths = made.flat_map(|record| record.plan.growths());
    let (layers, others): (Vec<&Growth>, Vec<&Growth>) =
        growths.partition(|growth| matches!(growth, Growth::NewLayer(_)));
    assert!(!layers.is_empty() && !others.is_empty());
    assert_eq!(grower.model().body.len(), 1 + layers.len());
}

/// Interrupts a run after a number of epochs.
struct InterruptAfter(usize, Arc<AtomicBool>);

impl Observer for InterruptAfter {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(EpochRecord { epoch, .. }) = event
            && *epoch >= self.0
        {
            self.1.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn an_interrupted_run_resumes_at_its_depth() {
    let mut whole = deep(settings());
    whole.run().expect("runs");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut resumed = 0;
    // Another width each time: all but the number of blocks to begin with comes from the file.
    for (epochs, width) in [(1, 6), (3, 5), (4, 3), (6, 7), (usize::MAX, 6)] {
        let flag = Arc::new(AtomicBool::new(false));
        let mut grower = Grower::new(settings(), FLEX, task(600), Deep::new(width), adam())
            .expect("sound")
            .observe(InterruptAfter(epochs, flag.clone()))
            .interrupt_by(flag)
            .checkpoint_at(&path)
            .expect("the checkpoint is this run's");
        match grower.run().expect("runs") {
            Outcome::Interrupted => resumed += 1,
            Outcome::Stopped(_) => {
                assert_eq!(grower.model().body.order(), whole.model().body.order());
                assert!(bits(grower.model()) == bits(whole.model()));
                assert!(bits(grower.best_model()) == bits(whole.best_model()));
                assert_eq!(grower.state().epochs, whole.state().epochs);
            }
        }
    }
    assert_eq!(resumed, 4);
}

#[test]
fn a_journal_of_new_layers_replays_and_weights_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let mut first = deep(settings()).observe(Journal::new(&path));
    first.run().expect("runs");
    let journal = read_journal(&path).expect("a journal");
    let mut second = deep(settings()).replay(journal);
    second.run().expect("runs");
    assert!(second.model().body.len() >= 2);
    assert!(bits(first.model()) == bits(second.model()));
    let file = folder.path().join("grown.safetensors");
    save_weights(first.model(), &file).expect("writable");
    let loaded = load_weights(&Deep::new(2), &file, digits(1).inputs()).expect("its weights");
    assert!(bits(first.model()) == bits(&loaded));
}

#[test]
fn a_model_without_a_stack_is_refused_before_training() {
    let grower = Grower::new(settings(), FLEX, task(100), Mlp::fixed(2), adam());
    refused(grower, "hold the blocks that may become more in a `Stack`");
}

/// Where the process that is killed finds its folder.
const FOLDER: &str = "BURGEON_KILLED_DEEP_RUN";

fn run(folder: &Path) {
    let grower = deep(settings()).checkpoint_at(folder.join("run.checkpoint"));
    let mut grower = grower.expect("its own checkpoint, which no kill has damaged");
    grower.run().expect("runs");
    save_weights(grower.model(), &folder.join("model.safetensors")).expect("writable");
}

/// What is run in a process of its own: nothing, unless it is told a folder.
#[test]
fn a_deep_run_in_its_own_process() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        run(Path::new(&folder));
    }
}

#[test]
fn kills_change_nothing_of_a_deeper_network() {
    let start = |folder: &Path| {
        let mut command = Command::new(std::env::current_exe().expect("known"));
        command
            .args(["--exact", "depth::a_deep_run_in_its_own_process"])
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("starts")
    };
    let [whole, killed] = [(), ()].map(|()| tempfile::tempdir().expect("a folder"));
    let begun = std::time::Instant::now();
    assert!(start(whole.path()).wait().expect("ends").success());
    let length = begun.elapsed();
    for part in [0.35, 0.6, 0.8] {
        let mut child = start(killed.path());
        std::thread::sleep(length.mul_f64(part));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    assert!(start(killed.path()).wait().expect("ends").success());
    let read = |folder: &Path| std::fs::read(folder.join("model.safetensors")).expect("there");
    assert!(
        read(whole.path()) == read(killed.path()),
        "the networks differ"
    );
}
