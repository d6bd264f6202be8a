//! Networks that learn programs, their proofs and their weights files.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use burgeon_nn::{Growable, Objective};
use burgeon_npi::NpiError;
use burgeon_npi::calls::CallSet;
use burgeon_npi::controller::Controller;
use burgeon_npi::interpreter::{Step, run};
use burgeon_npi::network::{
    Codec, Core, CoreConfig, NetworkController, Settings, Traces, Training, load, prove, samples,
    save,
};
use burgeon_npi::tasks::{self, Recursion, Task};
use burgeon_npi::training_sets::of_the_paper;
use burgeon_npi::verification::{Verdict, reached};
use burn::module::Param;
use burn::nn::LstmConfig;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

#[path = "../../exchange/tests/networks/python.rs"]
mod python;

use python::python;

fn task(name: &str) -> &'static dyn Task {
    tasks::named(name).expect("there")
}

fn codec(name: &str) -> Codec {
    Codec::new(task(name).instructions())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn paper_calls(name: &str) -> CallSet {
    let problems = of_the_paper(task(name), 1).expect("problems");
    reached(task(name), Recursion::Full, problems).expect("runs")
}

fn trained(name: &str, calls: &CallSet, config: CoreConfig, seed: u64) -> (Core, usize) {
    let mut oracle = task(name).oracle(Recursion::Full).expect("there");
    let traces = Traces::new(codec(name), calls, &mut oracle, &Device::flex()).expect("traces");
    let core = Core::new(&codec(name), config, seed, &Device::flex().autodiff());
    let mut training = Training::new(core, Settings::default());
    assert!(training.run(&traces, |_, _| true).expect("trains"));
    (training.core, training.steps)
}

/// A network for quicksort, trained once for all tests.
fn quicksort() -> &'static Core {
    static CORE: OnceLock<Core> = OnceLock::new();
    CORE.get_or_init(|| {
        let config = CoreConfig {
            hidden: 64,
            ..CoreConfig::default()
        };
        trained("quicksort", &paper_calls("quicksort"), config, 3).0
    })
}

fn verdict(name: &str, core: &Core) -> Verdict {
    let closed = task(name).closed_set(1).expect("closed");
    prove(task(name), core, &closed).expect("compares")
}

#[test]
fn a_network_learns_quicksort_from_four_lists_and_is_proved() {
    assert_eq!(paper_calls("quicksort").len(), 32);
    let verdict = verdict("quicksort", quicksort());
    let wrong: Vec<String> = verdict
        .wrong
        .iter()
        .map(|example| example.text(task("quicksort").instructions()))
        .collect();
    assert!(verdict.is_proved(), "{}", wrong.join("\n"));
    // So it sorts any list, and a long one meets nothing that the proof did not.
    let mut controller = NetworkController::new(quicksort(), codec("quicksort"));
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for size in [1, 2, 90, 300] {
        let mut problem = task("quicksort").random(size, &mut rng);
        let instructions = task("quicksort").instructions();
        run(
            instructions,
            &mut controller,
            problem.as_mut(),
            u64::MAX,
            &mut (),
        )
        .expect("runs");
        assert!(problem.is_solved(), "{}", problem.text());
    }
    assert!(controller.known() <= 116, "{}", controller.known());
}

#[test]
fn training_is_the_same_twice() {
    let calls = paper_calls("bubble");
    let config = CoreConfig {
        hidden: 16,
        ..CoreConfig::default()
    };
    let mut oracle = task("bubble").oracle(Recursion::Full).expect("there");
    let traces = Traces::new(codec("bubble"), &calls, &mut oracle, &Device::flex());
    let traces = traces.expect("traces");
    let losses = |seed| {
        let core = Core::new(&codec("bubble"), config, seed, &Device::flex().autodiff());
        let mut training = Training::new(core, Settings::default());
        let steps = (0..5).map(|_| training.step(&traces).expect("trains").loss.to_bits());
        steps.collect::<Vec<_>>()
    };
    assert_eq!(losses(1), losses(1));
    assert_ne!(losses(1), losses(2));
}

/// An untrained network makes wrong calls or none; a counter-example is a way out.
#[test]
fn counter_examples_are_learned() {
    let name = "bubble";
    let mut calls = paper_calls(name);
    // A list of one element is in no training problem, and its calls are in the proof.
    assert_eq!(calls.len(), 29);
    let config = CoreConfig {
        hidden: 32,
        ..CoreConfig::default()
    };
    let (core, _) = trained(name, &calls, config, 1);
    let first = verdict(name, &core);
    assert_eq!(first.sequences, 31);
    calls.extend(first.wrong.into_iter().map(|example| example.sequence));
    let (core, _) = trained(name, &calls, config, 1);
    let second = verdict(name, &core);
    calls.extend(second.wrong.into_iter().map(|example| example.sequence));
    let (core, _) = trained(name, &calls, config, 1);
    assert!(verdict(name, &core).is_proved());
}

#[test]
fn a_network_that_never_ends_is_stopped() {
    let config = CoreConfig {
        hidden: 8,
        ..CoreConfig::default()
    };
    let stopped = (0..20).any(|seed| {
        let core = Core::new(&codec("bubble"), config, seed, &Device::flex());
        let mut controller = NetworkController::new(&core, codec("bubble"));
        let mut problem = task("bubble").parse(&words("3 1 2")).expect("a list");
        let instructions = task("bubble").instructions();
        let run = run(
            instructions,
            &mut controller,
            problem.as_mut(),
            500,
            &mut (),
        );
        matches!(run, Err(NpiError::TooManySteps { steps: 500, .. }))
    });
    assert!(stopped);
}

/// Steps one by one, all prefixes packed, and calls padded: the same decisions, and outputs that
/// differ by rounding.
#[test]
fn every_way_to_run_it_is_the_same() {
    let calls = paper_calls("quicksort");
    let name = "quicksort";
    let mut together = NetworkController::new(quicksort(), codec(name));
    together.decide(&calls).expect("decides");
    assert_eq!(together.known(), calls.prefixes());
    let mut one_by_one = NetworkController::new(quicksort(), codec(name));
    // After every second sequence its first step is known and the rest is not.
    for sequence in calls.iter() {
        let mut position = one_by_one.enter(sequence.call);
        one_by_one.step(&mut position, sequence.observations[0]);
    }
    for sequence in calls.iter() {
        let found = sequence.decisions(&mut one_by_one);
        assert_eq!(found, sequence.decisions(&mut together));
    }
    let mut oracle = task(name).oracle(Recursion::Full).expect("there");
    let device = Device::flex();
    let traces = Traces::new(codec(name), &calls, &mut oracle, &device).expect("traces");
    let plain = load_back(quicksort());
    let packed = plain.packed(traces.inputs.clone(), &traces.sizes);
    let packed = traces.loss(packed).into_scalar::<f64>();
    let padded = samples(codec(name), &calls, &mut oracle, &device).expect("samples");
    let outputs = plain.predict(padded.inputs().clone());
    let loss = burgeon_npi::network::DecisionLoss::new(codec(name));
    loss.check(outputs.dims()[1], padded.targets())
        .expect("fits");
    let padded = loss.loss(outputs, padded.targets()).into_scalar::<f64>();
    assert!(
        (packed - padded).abs() <= 1e-4 * packed,
        "{packed} {padded}"
    );
}

/// Through a file, onto the plain device.
fn load_back(core: &Core) -> Core {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    save(core, &path).expect("writable");
    load(task("quicksort"), &path, &Device::flex()).expect("its own")
}

#[test]
fn weights_of_another_task_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let config = CoreConfig {
        hidden: 5,
        ..CoreConfig::default()
    };
    let core = Core::new(&codec("bubble"), config, 1, &Device::flex());
    save(&core, &path).expect("writable");
    let back = load(task("bubble"), &path, &Device::flex()).expect("its own");
    assert_eq!(back.widths(), [5, 5]);
    for other in ["quicksort", "addition", "topological", "bubble-raw"] {
        let error = load(task(other), &path, &Device::flex()).expect_err(other);
        let text = error.to_string();
        assert!(text.contains(&format!("a network for {other}")), "{text}");
    }
    let nowhere = load(task("bubble"), Path::new("nowhere"), &Device::flex());
    assert!(
        nowhere
            .expect_err("no file")
            .to_string()
            .contains("nowhere")
    );
}

#[test]
fn the_lstm_is_that_of_burn() {
    let device = Device::flex();
    let core = Core::new(&codec("bubble"), CoreConfig::default(), 1, &device);
    let cell = &core.lower;
    let [inputs, _] = cell.input.weight.dims();
    let width = cell.width();
    let mut other = LstmConfig::new(inputs, width, true).init(&device);
    let gates = [
        &mut other.input_gate,
        other.forget_gate.as_mut().expect("there"),
        &mut other.cell_gate,
        &mut other.output_gate,
    ];
    for (index, gate) in gates.into_iter().enumerate() {
        let part = |weight: Tensor<2>| weight.narrow(1, index * width, width);
        let bias = cell.input.bias.as_ref().expect("there").val();
        let bias = Param::from_tensor(bias.narrow(0, index * width, width));
        let none = Param::from_tensor(Tensor::zeros([width], &device));
        gate.input_transform.weight = Param::from_tensor(part(cell.input.weight.val()));
        gate.input_transform.bias = Some(bias);
        gate.hidden_transform.weight = Param::from_tensor(part(cell.hidden.weight.val()));
        gate.hidden_transform.bias = Some(none);
    }
    let steps = 6;
    let numbers = (0..3 * steps * inputs).map(|i| (i as f32 * 0.37).sin());
    let data = burn::tensor::TensorData::new(numbers.collect::<Vec<_>>(), [3, steps, inputs]);
    let x = Tensor::<3>::from_data(data, &device);
    let (expected, _) = other.forward(x.clone(), None);
    let (mut hidden, mut cells) = (
        Tensor::zeros([3, width], &device),
        Tensor::zeros([3, width], &device),
    );
    for step in 0..steps {
        let row = x.clone().narrow(1, step, 1).squeeze_dim(1);
        (hidden, cells) = cell.step(row, hidden, cells);
        let right: Tensor<2> = expected.clone().narrow(1, step, 1).squeeze_dim(1);
        let off = (hidden.clone() - right).abs().max().into_scalar::<f32>();
        assert!(off < 1e-5, "step {step}: {off}");
    }
}

/// A second interpreter, written in another language, runs the exported weights step by step alike.
#[test]
fn numpy_runs_the_weights_with_the_same_traces() {
    let Some(python) = python("numpy_runs_the_weights_with_the_same_traces", &["numpy"]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let weights = folder.path().join("w.safetensors");
    save(quicksort(), &weights).expect("writable");
    let alphabet = folder.path().join("alphabet.json");
    let instructions = task("quicksort").instructions();
    std::fs::write(&alphabet, alphabet_json()).expect("writable");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interpreter.py");
    let mut controller = NetworkController::new(quicksort(), codec("quicksort"));
    for list in [
        "8 2 1 2 0 8 5 8 3 7",
        "1",
        "5 5",
        "9 8 7 6 5 4 3 2 1 0 0 1 2 3",
    ] {
        let output = Command::new(&python)
            .arg(script)
            .args([&weights, &alphabet])
            .args(list.split(' '))
            .output()
            .expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let mut problem = task("quicksort").parse(&words(list)).expect("a list");
        let mut trace: Vec<Step> = Vec::new();
        run(
            instructions,
            &mut controller,
            problem.as_mut(),
            u64::MAX,
            &mut trace,
        )
        .expect("runs");
        let mut lines: Vec<String> = trace
            .iter()
            .map(|step| {
                let call = instructions.call_text(step.call);
                let [a, b, c, d] = step.observation;
                let decision = instructions.decision_text(step.decision);
                format!("{} {call} {a} {b} {c} {d} {decision}", step.depth)
            })
            .collect();
        let text = problem.text();
        lines.extend(text.split_once(" -> ").map(|(_, sorted)| sorted.to_owned()));
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed: Vec<&str> = printed.lines().collect();
        assert_eq!(printed, lines);
    }
}

/// Programs, arguments and features for the script.
fn alphabet_json() -> String {
    let instructions = task("quicksort").instructions();
    let list = |names: Vec<&str>| format!("{names:?}");
    let programs = instructions.programs.iter();
    let composite = programs.clone().filter(|p| !p.primitive).map(|p| p.name);
    let arguments = instructions.arguments.map(|values| list(values.to_vec()));
    let features: Vec<usize> = instructions
        .features
        .iter()
        .map(|f| f.values.len())
        .collect();
    format!(
        "{{\"programs\": {}, \"composite\": {}, \"arguments\": [{}], \"features\": {features:?}}}",
        list(programs.map(|p| p.name).collect()),
        list(composite.collect()),
        arguments.join(", "),
    )
}
