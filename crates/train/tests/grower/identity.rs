//! What a run may go on with, and what it refuses, naming what differs.

use std::path::{Path, PathBuf};

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::SignedSteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_core::{SplitBackend, WeightBound};
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples, WeightedCrossEntropy, trace};
use burgeon_train::{Grower, GrowerConfig, Task};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::activation::{leaky_relu, silu, tanh};
use burn::tensor::{Tensor, TensorData};

use crate::network::{Mlp, adam, bits, config, digits, fixed, grower, refused, task};

/// A layer with one activation or another.
#[derive(Module, Debug)]
struct Plain<const ACTIVATION: usize> {
    hidden: Linear,
    output: Linear,
}

impl<const ACTIVATION: usize> Plain<ACTIVATION> {
    fn of_width(width: usize) -> Self {
        let device = FLEX.device().autodiff();
        fixed(Self {
            hidden: LinearConfig::new(64, width).init(&device),
            output: LinearConfig::new(width, 10).init(&device),
        })
    }
}

impl<const ACTIVATION: usize> Growable for Plain<ACTIVATION> {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.forward(input);
        self.output.forward(match ACTIVATION {
            0 => silu(hidden),
            1 => tanh(hidden),
            2 => leaky_relu(hidden, 0.01),
            _ => leaky_relu(hidden, 0.02),
        })
    }
}

/// The training samples of a task.
fn all(task: &Task<Tensor<2>>) -> Samples<Tensor<2>> {
    task.train.sample(usize::MAX, 0).expect("in memory")
}

#[test]
fn a_description_is_of_what_a_model_computes_at_every_width() {
    fn described<const ACTIVATION: usize>(width: usize) -> String {
        let model = Plain::<ACTIVATION>::of_width(width);
        let traced = trace(&model, &digits(4)).expect("traceable");
        traced.describe().expect("known operations")
    }
    let silu = described::<0>(3);
    assert_eq!(silu, described::<0>(7));
    let all = [
        silu,
        described::<1>(3),
        described::<2>(3),
        described::<3>(3),
    ];
    for (index, own) in all.iter().enumerate() {
        assert_eq!(
            all.iter().position(|other| other == own),
            Some(index),
            "{own}"
        );
    }
}

/// A run of two epochs, whose checkpoint others try to go on from.
fn begun(folder: &Path) -> PathBuf {
    let path = folder.join("run.checkpoint");
    let mut run = resumed(&path, |_| ()).expect("new");
    run.run().expect("runs");
    path
}

/// What a run is made of.
struct Parts {
    config: GrowerConfig,
    task: Task<Tensor<2>>,
    optimizer: burn::optim::ModuleOptimizer,
}

fn signed(bound: f64) -> GrowerConfig {
    let bound = WeightBound::new(bound).expect("in range");
    let half = Fraction::new(0.5).expect("in range");
    GrowerConfig::new(SignedSteepestDescent::new(bound), half)
        .with_max_epochs(2)
        .with_capture_samples(100)
}

fn resumed(path: &Path, change: impl Fn(&mut Parts)) -> Result<Grower<Plain<0>>, NnError> {
    let mut parts = Parts {
        config: signed(3.0),
        task: task(200),
        optimizer: adam(),
    };
    change(&mut parts);
    let model = Plain::of_width(2);
    Grower::new(parts.config, FLEX, parts.task, model, parts.optimizer)?.checkpoint_at(path)
}

#[test]
fn a_run_does_not_go_on_with_something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = begun(folder.path());
    let other = |change: fn(&mut Parts), expected: &str| {
        refused(
            resumed(&path, change),
            &format!("What differs: {expected}. "),
        );
    };
    let before = std::fs::read(&path).expect("there");
    let decay = |parts: &mut Parts| {
        let decay = WeightDecayConfig::new(1e-4);
        parts.optimizer = AdamConfig::new().with_weight_decay(Some(decay)).init();
    };
    other(decay, "optimizer");
    other(
        |parts| parts.optimizer = SgdConfig::new().init(),
        "optimizer",
    );
    let criterion = |c| format!("{:?}", signed(c));
    assert_ne!(criterion(3.0), criterion(2.0));
    let criterion = "criterion: SignedSteepestDescent { bound: WeightBound(3.0) } -> \
                     SignedSteepestDescent { bound: WeightBound(2.0) }";
    other(|parts| parts.config = signed(2.0), criterion);
    other(
        |parts| parts.task.train = Box::new(shuffled(&all(&parts.task))),
        "training samples",
    );
    other(
        |parts| parts.task.train = Box::new(brighter(&all(&parts.task))),
        "training samples",
    );
    other(
        |parts| parts.task.held = brighter(&parts.task.held),
        "held samples",
    );
    let batch = |parts: &mut Parts| parts.config = signed(3.0).with_batch_size(32);
    other(batch, "training: batch size: 128 -> 32");
    let seed = |parts: &mut Parts| parts.config = signed(3.0).with_seed(1);
    other(seed, "training: seed: 0 -> 1");
    let smoothed = |parts: &mut Parts| {
        let smoothed = WeightedCrossEntropy::new().with_smoothing(0.1);
        parts.task.objective = Box::new(smoothed.expect("in range"));
    };
    refused(
        resumed(&path, smoothed),
        "objective: CrossEntropy -> WeightedCrossEntropy",
    );
    // Another activation is another type here, so the grower is another one too.
    let tanh = Grower::new(
        signed(3.0),
        FLEX,
        task(200),
        Plain::<1>::of_width(2),
        adam(),
    );
    refused(
        tanh.expect("sound").checkpoint_at(&path),
        "What differs: graph: Sigmoid at hidden",
    );
    assert_eq!(std::fs::read(&path).expect("there"), before);
    resumed(&path, |_| ()).expect("its own");
}

/// The same samples with two labels exchanged.
fn shuffled(samples: &Samples<Tensor<2>>) -> Samples<Tensor<2>> {
    let labels = samples.targets().classes().expect("classes").into_data();
    let labels: Vec<i64> = labels.convert::<i64>().try_to_vec().expect("integers");
    let mut labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    let other = labels.iter().position(|label| *label != labels[0]);
    labels.swap(0, other.expect("several classes"));
    let device = FLEX.device();
    Samples::classification(samples.inputs().clone(), &labels, 10, &device).expect("sound")
}

/// The same samples with other pixels.
fn brighter(samples: &Samples<Tensor<2>>) -> Samples<Tensor<2>> {
    let inputs = samples.inputs().clone().mul_scalar(1.001);
    samples.with_inputs(inputs, |values| values).expect("sound")
}

#[test]
fn a_raised_limit_goes_on_as_if_it_had_always_been_there() {
    let whole = {
        let mut whole = grower(config());
        whole.run().expect("runs");
        whole
    };
    type Change = fn(GrowerConfig) -> GrowerConfig;
    let parameters = Mlp::fixed(2).num_params() as u64;
    assert!(parameters < 400);
    let first: [(&str, Change); 4] = [
        ("all epochs trained", |config| config.with_max_epochs(4)),
        ("target accuracy reached", |config| {
            config.with_target_accuracy(0.2)
        }),
        ("all growth steps made", |config| {
            config.with_max_growths(1).with_end_of_growth(true)
        }),
        ("parameter budget spent", |config| {
            config.with_parameter_budget(200).with_end_of_growth(true)
        }),
    ];
    for (reason, limited) in first {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.checkpoint");
        let mut short = grower(limited(config())).checkpoint_at(&path).expect("new");
        short.run().expect("runs");
        let stopped = short.state().stopped.clone().expect("at its end");
        assert_eq!(stopped.to_string(), reason);
        let epochs = short.state().epoch;
        drop(short);
        // By the same limits it is at its end.
        let mut same = grower(limited(config()))
            .checkpoint_at(&path)
            .expect("its own");
        same.run().expect("runs");
        assert_eq!(
            (same.state().epoch, same.state().stopped.as_ref()),
            (epochs, Some(&stopped))
        );
        drop(same);
        let mut long = grower(config()).checkpoint_at(&path).expect("its own");
        long.run().expect("runs");
        assert!(long.state().epoch > epochs, "{reason}: it does not go on");
        // A budget has chosen the growths before.
        if reason != "parameter budget spent" {
            assert!(bits(long.model()) == bits(whole.model()), "{reason}");
            assert_eq!(long.state().epochs, whole.state().epochs);
        }
    }
}

#[test]
fn a_lowered_limit_ends_a_run_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let of_epochs = |epochs| grower(config().with_max_epochs(epochs)).checkpoint_at(&path);
    of_epochs(5).expect("new").run().expect("runs");
    let mut lower = of_epochs(3).expect("its own");
    lower.run().expect("runs");
    assert_eq!(lower.state().epoch, 5);
}

/// A growth's plan has a vector as long as the fan-in for each copy: kept in the header, they were
/// more than safetensors allow.
#[test]
fn the_checkpoint_of_a_long_history_is_as_large_as_the_net() {
    use burgeon_core::criterion::RandomSplit;
    use burgeon_train::{Accept, StepSize, Trigger};
    let device = FLEX.device();
    let pixels: Vec<f32> = (0..40 * 3072).map(|n| (n as f32 * 0.37).sin()).collect();
    let samples = || {
        let inputs = Tensor::from_data(TensorData::new(pixels.clone(), [40, 3072]), &device);
        let labels: Vec<usize> = (0..40).map(|n| n % 10).collect();
        Samples::classification(inputs, &labels, 10, &device).expect("sound")
    };
    let wide = || {
        let device = device.clone().autodiff();
        fixed(Plain::<0> {
            hidden: LinearConfig::new(3072, 64).init(&device),
            output: LinearConfig::new(64, 10).init(&device),
        })
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let run = || {
        let config = GrowerConfig::new(RandomSplit, Fraction::new(1.0).expect("in range"))
            .with_trigger(Trigger::Every { epochs: 1 })
            .with_step_size(StepSize::Fixed {
                epsilon: 0.01,
                accept: Accept::Always,
            })
            .with_max_epochs(5)
            .with_capture_samples(20);
        let task = Task::new(CrossEntropy, samples(), samples());
        let grower = Grower::new(config, FLEX, task, wide(), adam()).expect("sound");
        grower.checkpoint_at(&path).expect("its own")
    };
    let mut first = run();
    first.run().expect("runs");
    let weights = first.model().num_params() * 4;
    assert_eq!(first.graph().widths(), [("hidden".to_owned(), 1024)]);
    let length = |path: &Path| std::fs::metadata(path).expect("there").len() as usize;
    // Weights, two moments, and the best weights.
    assert!(
        length(&path) < 4 * weights + 20_000,
        "{} bytes",
        length(&path)
    );
    let journal = first.state().journal.clone();
    drop(first);
    assert_eq!(run().state().journal, journal);
}
