//! Searches that train every child from scratch.

use burgeon_coexplore::{
    Controller, Evolution, Policy, RandomPolicy, Reward, Search, SearchConfig,
};
use burgeon_train::RateSchedule;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::trainings::{self, BETA, CONTROLLER, EVOLUTION, FAST, STEPS, Trained};
use super::bench::{Bench, Point, RATE};
use crate::error::ExperimentError;

/// Epochs of a child: constant until 60 %, then half a cosine to 0.
const EPOCHS: usize = 8;

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
    serde_json::json!({ "epochs": EPOCHS, "searches": trainings::constants() })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    format!(
        "Searches choose three widths of {:?} and a design; a child is trained from scratch for \
         {EPOCHS} epochs (constant until 60 %, then half a cosine to 0), once for the same widths. \
         Rewards: {BETA} of the accuracy and {:.1} of the share of the limit that is used, or that \
         is left over where times are rewarded; −1 without training beyond the limit. {}",
        super::space::WIDTHS,
        1.0 - BETA,
        trainings::described()
    )
}

/// The network of an architecture, trained from scratch.
fn trained(
    bench: &Bench<'_>,
    architecture: &[usize],
    before: &[Point],
) -> Result<Point, ExperimentError> {
    let widths = <[usize; 3]>::try_from(architecture)
        .map_err(|_| ExperimentError::Settings(format!("{architecture:?} are no three widths")))?;
    // Every child has weights and an order of samples of its own.
    let seed = bench.seed + 1000 * before.len() as u64;
    let model = bench.initial(widths, seed)?;
    let rate = RateSchedule::stable_then_decay(RATE)?;
    bench.point(model, (EPOCHS, rate), seed, spent(before))
}

/// What was spent when the last of them was trained.
fn spent(points: &[Point]) -> u64 {
    points.last().map_or(0, |point| point.spent)
}

impl Trained for Point {
    fn held_accuracy(&self) -> f64 {
        self.held_accuracy
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

fn run<P: Policy + Serialize + DeserializeOwned>(
    bench: &Bench<'_>,
    policy: P,
    config: SearchConfig,
) -> Result<Vec<Point>, ExperimentError> {
    let search = Search::new(policy, config, bench.seed);
    let (_, points) = trainings::searched(
        bench.context,
        &bench.recipe,
        search,
        &bench.space,
        &mut |architecture, before| trained(bench, architecture, before),
        |points| spent(points) < bench.budget,
    )?;
    Ok(points)
}
