//! One network: trained, tried on random problems, compared with its oracle.

use std::sync::atomic::Ordering;

use burgeon_npi::calls::{CallSequence, CallSet};
use burgeon_npi::interpreter::run as interpret;
use burgeon_npi::network::{
    Codec, Core, CoreConfig, NetworkController, Settings, Traces, Training, prove,
};
use burgeon_npi::tasks::Recursion;
use burgeon_npi::verification::reached;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::setups::Setup;
use crate::error::ExperimentError;
use crate::study::{UnitContext, UnitEvent};

/// Random problems of each size.
pub(super) const PROBLEMS: usize = 30;
/// Trainings with the counter-examples of those before, at most.
const ROUNDS: usize = 3;
/// Steps between two lines on how it goes.
const TOLD: usize = 50;

/// What became of one network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Distinct calls that it was trained on.
    pub calls: usize,
    /// Steps to the first at which every decision was right; none if there was none.
    pub exact_at: Option<usize>,
    /// Percent of random problems solved, by size, in the order of the setup.
    pub solved: Vec<f64>,
    /// The comparison on all calls there can be, where they are finite.
    pub proof: Option<Proof>,
    /// And after training with counter-examples, in this many rounds.
    pub after: Option<(Proof, usize)>,
}

/// How a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Proof {
    /// Calls with a wrong decision.
    pub wrong: usize,
    /// Calls compared.
    pub sequences: usize,
    /// Their prefixes.
    pub prefixes: usize,
}

fn settings() -> Settings {
    Settings {
        settle: 150,
        most: 2000,
        ..Settings::default()
    }
}

/// What training depends on.
pub(super) fn training_recipe() -> Value {
    let settings = settings();
    json!({
        "rate": settings.rate,
        "settle": settings.settle,
        "most": settings.most,
        "rounds": ROUNDS,
    })
}

/// Trains and tries a network.
pub(super) fn run(
    setup: &Setup,
    seed: u64,
    context: &UnitContext,
) -> Result<Outcome, ExperimentError> {
    let task = setup.task()?;
    let codec = Codec::new(task.instructions());
    let device = context.backend.device();
    let config = CoreConfig {
        hidden: setup.hidden,
        ..CoreConfig::default()
    };
    let mut calls = reached(task, setup.form, setup.problems(seed)?)?;
    let core = Core::new(&codec, config, seed, &device.clone().autodiff());
    let mut training = Training::new(core, settings());
    let mut oracle = task.oracle(setup.form)?;
    let mut trained = |training: &mut Training, calls: &CallSet| {
        let traces = Traces::new(codec, calls, &mut oracle, &device)?;
        train(training, &traces, context)
    };
    trained(&mut training, &calls)?;
    let mut outcome = Outcome {
        calls: calls.len(),
        exact_at: training.exact_at,
        solved: solved(setup, seed, &training.core, context)?,
        proof: None,
        after: None,
    };
    if !setup.has_proof() {
        return Ok(outcome);
    }
    outcome.proof = Some(compare(setup, &training.core, setup.least())?.0);
    for round in 0.. {
        let (proof, wrong) = compare(setup, &training.core, 1)?;
        outcome.after = Some((proof, round));
        if proof.wrong == 0 || round == ROUNDS {
            break;
        }
        calls.extend(wrong);
        trained(&mut training, &calls)?;
    }
    Ok(outcome)
}

fn train(
    training: &mut Training,
    traces: &Traces,
    context: &UnitContext,
) -> Result<(), ExperimentError> {
    let interrupt = &context.interrupt;
    training.run(traces, |step, met| {
        if step % TOLD == 0 {
            let (unit, loss, wrong) = (&context.unit, met.loss, met.wrong);
            let line = format!("{unit}: step {step}, loss {loss:.4}, {wrong} wrong");
            // Nobody listening is no reason to stop.
            let _ = context.progress.send(UnitEvent::Progress(line));
        }
        !interrupt.load(Ordering::Relaxed)
    })?;
    match interrupt.load(Ordering::Relaxed) {
        true => Err(ExperimentError::Interrupted),
        false => Ok(()),
    }
}

/// The comparison from size `least` on, and the calls that are wrong.
fn compare(
    setup: &Setup,
    core: &Core,
    least: usize,
) -> Result<(Proof, Vec<CallSequence>), ExperimentError> {
    let task = setup.task()?;
    let verdict = prove(task, core, &task.closed_set(least)?)?;
    let proof = Proof {
        wrong: verdict.wrong.len(),
        sequences: verdict.sequences,
        prefixes: verdict.prefixes,
    };
    let wrong = verdict.wrong.into_iter().map(|example| example.sequence);
    Ok((proof, wrong.collect()))
}

/// Percent of random problems of each size that the network solves, within four times the steps
/// that its oracle needs.
fn solved(
    setup: &Setup,
    seed: u64,
    core: &Core,
    context: &UnitContext,
) -> Result<Vec<f64>, ExperimentError> {
    let task = setup.task()?;
    let instructions = task.instructions();
    let mut oracle = task.oracle(setup.form)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Other problems than the training's, which the same seed may have drawn.
    rng.set_stream(1);
    let mut controller = NetworkController::new(core, Codec::new(instructions));
    let mut shares = Vec::new();
    for &size in setup.sizes {
        let mut right = 0;
        for _ in 0..PROBLEMS {
            if context.interrupt.load(Ordering::Relaxed) {
                return Err(ExperimentError::Interrupted);
            }
            let mut problem = task.random(size, &mut rng);
            let mut same = problem.clone_box();
            let steps = interpret(instructions, &mut oracle, same.as_mut(), u64::MAX, &mut ())?;
            let bound = 4 * steps + 100;
            let ended = interpret(
                instructions,
                &mut controller,
                problem.as_mut(),
                bound,
                &mut (),
            );
            right += usize::from(ended.is_ok() && problem.is_solved());
        }
        shares.push(100.0 * right as f64 / PROBLEMS as f64);
        // What loops met is met once.
        if setup.form != Recursion::Full {
            controller = NetworkController::new(core, Codec::new(instructions));
        }
    }
    Ok(shares)
}
