//! `burgeon npi`: recursive neural programmer-interpreters.

use std::path::PathBuf;

use burgeon::backend;
use burgeon_npi::controller::Controller;
use burgeon_npi::interpreter::{Observer, Step, run as interpret};
use burgeon_npi::network::{
    Codec, Core, CoreConfig, NetworkController, Settings, Traces, Training, load, prove, save,
};
use burgeon_npi::program::InstructionSet;
use burgeon_npi::tasks::{self, Recursion, Task};
use burgeon_npi::training_sets::of_the_paper;
use burgeon_npi::verification::{Verdict, reached};
use burgeon_terminal::line;
use clap::{Args, Subcommand, ValueEnum};

use crate::error::CliError;

/// Counter-examples that are printed; more say no more.
const SHOWN: usize = 3;
/// Trainings of `train`, each with the counter-examples of those before.
const ROUNDS: usize = 5;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a task's program on a problem, by its oracle or by a network
    Run(Run),
    /// Train a network until it is proved, and write its weights
    Train(Train),
    /// Compare a network with its oracle on every call that any problem can lead to
    Prove(Prove),
}

#[derive(Debug, Args)]
pub struct Run {
    /// addition, bubble, bubble-raw, topological or quicksort
    task: String,
    /// The problem: digits to sort, two numbers of equal length, or a number of vertices and edges
    /// such as 1-2
    #[arg(required = true)]
    problem: Vec<String>,
    /// Print every step
    #[arg(long)]
    trace: bool,
    /// Weights of a network that decides, instead of the oracle
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The oracle's form
    #[arg(long, value_enum, default_value_t = Form::Full, conflicts_with = "weights")]
    recursion: Form,
    /// Stop after so many steps
    #[arg(long, default_value_t = 10_000_000)]
    max_steps: u64,
}

#[derive(Debug, Args)]
pub struct Train {
    /// addition, bubble, topological or quicksort
    task: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Units of each LSTM layer
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Seed of the initial weights and of the training problems
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// addition, bubble, topological or quicksort
    task: String,
    /// The network's weights
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The smallest problem that the proof is to hold for
    #[arg(long, default_value_t = 1)]
    size: usize,
}

/// How far loops are replaced by recursion.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Loops stay loops
    None,
    /// Only the outermost loop is recursive
    Partial,
    /// Every loop is
    Full,
}

impl From<Form> for Recursion {
    fn from(form: Form) -> Self {
        match form {
            Form::None => Self::None,
            Form::Partial => Self::Partial,
            Form::Full => Self::Full,
        }
    }
}

/// Runs a command.
pub fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Run(options) => solve(options),
        Command::Train(options) => train(options),
        Command::Prove(options) => verdict(options),
    }
}

fn solve(options: &Run) -> Result<(), CliError> {
    let task = tasks::named(&options.task)?;
    // The problem comes first: a mistake in it is to be told before a file is read.
    task.parse(&options.problem)?;
    match &options.weights {
        None => solve_by(options, task, &mut task.oracle(options.recursion.into())?),
        Some(path) => {
            let device = backend::open(backend::DEFAULT)?.device();
            let core = load(task, path, &device)?;
            let codec = Codec::new(task.instructions());
            solve_by(options, task, &mut NetworkController::new(&core, codec))
        }
    }
}

fn solve_by<C: Controller>(
    options: &Run,
    task: &dyn Task,
    controller: &mut C,
) -> Result<(), CliError> {
    let instructions = task.instructions();
    let mut problem = task.parse(&options.problem)?;
    let mut trace = Trace {
        instructions,
        shown: options.trace,
        failed: None,
    };
    let bound = options.max_steps;
    let ended = interpret(
        instructions,
        controller,
        problem.as_mut(),
        bound,
        &mut trace,
    );
    if let Some(error) = trace.failed {
        return Err(error);
    }
    let steps = ended?;
    line(problem.text())?;
    line(format_args!("{steps} steps"))?;
    match problem.is_solved() {
        true => Ok(()),
        false => Err(CliError::NotProved(format!(
            "the result is wrong: {}",
            problem.text()
        ))),
    }
}

/// Prints a run as it goes.
struct Trace {
    instructions: &'static InstructionSet,
    shown: bool,
    failed: Option<CliError>,
}

impl Observer for Trace {
    fn step(&mut self, step: Step) {
        if !self.shown || self.failed.is_some() {
            return;
        }
        let printed = line(format_args!(
            "{:indent$}{} [{}] {}",
            "",
            self.instructions.call_text(step.call),
            self.instructions.observation_text(step.observation),
            self.instructions.decision_text(step.decision),
            indent = 2 * step.depth.min(MOST_INDENTED),
        ));
        self.failed = printed.err().map(CliError::from);
    }
}

/// A recursion's depth is that of its problem, a screen's width is not.
const MOST_INDENTED: usize = 20;

fn train(options: &Train) -> Result<(), CliError> {
    let task = tasks::named(&options.task)?;
    if options.hidden == 0 {
        return Err(CliError::Settings(
            "--hidden 0: a network needs at least 1 unit".into(),
        ));
    }
    let closed = task.closed_set(1)?;
    let device = backend::open(backend::DEFAULT)?.device();
    let codec = Codec::new(task.instructions());
    let config = CoreConfig {
        hidden: options.hidden,
        ..CoreConfig::default()
    };
    let mut calls = reached(task, Recursion::Full, of_the_paper(task, options.seed)?)?;
    let core = Core::new(&codec, config, options.seed, &device.clone().autodiff());
    let mut training = Training::new(core, Settings::default());
    for _ in 0..ROUNDS {
        let mut oracle = task.oracle(Recursion::Full)?;
        let traces = Traces::new(codec, &calls, &mut oracle, &device)?;
        let exact = training.run(&traces, |_, _| true)?;
        let found = prove(task, &training.core, &closed)?;
        line(format_args!(
            "{} steps on {} calls: {}, {} of {} calls of the proof wrong",
            training.steps,
            calls.len(),
            if exact {
                "all decisions right"
            } else {
                "some decisions wrong"
            },
            found.wrong.len(),
            found.sequences
        ))?;
        if found.is_proved() {
            save(&training.core, &options.out)?;
            line(format_args!("proved; weights in {}", options.out.display()))?;
            return Ok(());
        }
        calls.extend(found.wrong.into_iter().map(|example| example.sequence));
    }
    Err(CliError::NotProved(format!(
        "not proved after {ROUNDS} rounds: give more units with --hidden, or another --seed"
    )))
}

fn verdict(options: &Prove) -> Result<(), CliError> {
    let task = tasks::named(&options.task)?;
    if options.size == 0 {
        let problem = "--size 0: the smallest problem has size 1";
        return Err(CliError::Settings(problem.into()));
    }
    let closed = task.closed_set(options.size)?;
    let device = backend::open(backend::DEFAULT)?.device();
    let core = load(task, &options.weights, &device)?;
    let found = prove(task, &core, &closed)?;
    let Verdict {
        sequences,
        prefixes,
        wrong,
    } = &found;
    if found.is_proved() {
        line(format_args!(
            "proved: right at all {prefixes} prefixes of the {sequences} calls that {} makes on \
             problems of any size from {} on",
            task.name(),
            options.size
        ))?;
        return Ok(());
    }
    for example in wrong.iter().take(SHOWN) {
        line(example.text(task.instructions()))?;
    }
    Err(CliError::NotProved(format!(
        "not proved: {} of {sequences} calls are wrong",
        wrong.len()
    )))
}
