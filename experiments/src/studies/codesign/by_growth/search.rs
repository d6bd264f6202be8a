//! Searches that train every child from scratch.

use burgeon_coexplore::{
    CoexploreError, Controller, ControllerConfig, Evolution, Judge, Policy, RandomPolicy, Reward,
    Search, SearchConfig,
};
use burgeon_train::RateSchedule;

use super::bench::{Bench, Point, RATE};
use crate::error::ExperimentError;

/// Epochs of a child: constant until 60 %, then half a cosine to 0.
const EPOCHS: usize = 8;

/// Slow steps at most: a policy that has settled may propose what it knows for ever.
const STEPS: usize = 2000;

/// Fast steps in a slow one, which end when a child meets the specification.
const FAST: usize = 10;

/// The weight of accuracy in rewards, the better one of `co-exploration`.
const BETA: f64 = 0.9;

/// That of `co-exploration`, but for a higher rate, because a search has some dozens of steps here
/// and not some thousands.
const CONTROLLER: ControllerConfig = ControllerConfig {
    hidden: 35,
    learning_rate: 0.03,
    baseline: 0.95,
    entropy: 0.02,
};

/// Population and sample of evolution.
const EVOLUTION: (usize, usize) = (8, 3);

/// Who proposes children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proposes {
    TwoLevels,
    Evolution,
    /// Evolution that is paid for short times instead of for a well-used limit.
    FastEvolution,
    Chance,
}

/// What results depend on, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({
        "epochs": EPOCHS,
        "steps": STEPS,
        "fast steps": FAST,
        "beta": BETA,
        "controller": CONTROLLER,
        "evolution": EVOLUTION,
    })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    format!(
        "Searches choose three widths of {:?} and a design; a child is trained from scratch for \
         {EPOCHS} epochs (constant until 60 %, then half a cosine to 0), once for the same widths. \
         Rewards: {BETA} of the accuracy and {:.1} of the share of the limit that is used, or that \
         is left over where times are rewarded; −1 without training beyond the limit. Two levels: up \
         to {FAST} fast steps, until feasible; controller of {} units, Adam {}, entropy {}. \
         Evolution: population {}, sample {}. None of it was tuned here.",
        super::space::WIDTHS,
        1.0 - BETA,
        CONTROLLER.hidden,
        CONTROLLER.learning_rate,
        CONTROLLER.entropy,
        EVOLUTION.0,
        EVOLUTION.1
    )
}

/// Trains children until the budget is spent.
struct Trainings<'a> {
    bench: &'a Bench<'a>,
    points: Vec<Point>,
    spent: u64,
    /// What a search cannot tell in its own words.
    error: Option<ExperimentError>,
}

impl Trainings<'_> {
    fn train(&mut self, architecture: &[usize]) -> Result<f64, ExperimentError> {
        let widths = <[usize; 3]>::try_from(architecture).map_err(|_| {
            ExperimentError::Settings(format!("{architecture:?} are no three widths"))
        })?;
        // Every child has weights and an order of samples of its own.
        let seed = self.bench.seed + 1000 * self.points.len() as u64;
        let model = self.bench.initial(widths, seed)?;
        let rate = RateSchedule::stable_then_decay(RATE)?;
        let point = self.bench.point(model, (EPOCHS, rate), seed, self.spent)?;
        self.spent = point.spent;
        let accuracy = point.held_accuracy;
        self.points.push(point);
        Ok(accuracy)
    }
}

impl Judge for Trainings<'_> {
    fn accuracy(&mut self, architecture: &[usize]) -> Result<f64, CoexploreError> {
        self.train(architecture).map_err(|error| {
            let problem = error.to_string();
            self.error = Some(error);
            CoexploreError::Judge {
                child: architecture.to_vec(),
                problem,
            }
        })
    }
}

/// Searches until the budget is spent.
pub(super) fn searched(
    bench: &Bench<'_>,
    proposes: Proposes,
) -> Result<Vec<Point>, ExperimentError> {
    let reward = match proposes {
        Proposes::FastEvolution => Reward::RlInterface {
            accuracy: BETA,
            hardware: 1.0 - BETA,
        },
        _ => Reward::co_exploration(BETA)?,
    };
    let config = SearchConfig::new(reward, STEPS, STEPS)?;
    let space = &bench.space;
    match proposes {
        Proposes::TwoLevels => run(
            bench,
            Controller::new(space, CONTROLLER, bench.seed)?,
            config.with_fast_level(FAST, 0.0)?,
        ),
        Proposes::Evolution | Proposes::FastEvolution => run(
            bench,
            Evolution::new(space, EVOLUTION.0, EVOLUTION.1)?,
            config,
        ),
        Proposes::Chance => run(bench, RandomPolicy::new(space), config),
    }
}

fn run<P: Policy>(
    bench: &Bench<'_>,
    policy: P,
    config: SearchConfig,
) -> Result<Vec<Point>, ExperimentError> {
    let mut judge = Trainings {
        bench,
        points: Vec::new(),
        spent: 0,
        error: None,
    };
    let mut search = Search::new(policy, config, bench.seed);
    while judge.spent < bench.budget {
        match search.step(&bench.space, &mut judge) {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return Err(judge.error.take().unwrap_or(error.into())),
        }
    }
    Ok(judge.points)
}
