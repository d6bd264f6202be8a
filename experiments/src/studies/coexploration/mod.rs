//! Co-exploration against everything there is: cells of NAS-Bench-201 on an FPGA model, where
//! every accuracy and every latency is known.

mod report;

use std::sync::atomic::Ordering;

use burgeon_coexplore::nasbench201::{CellSpace, Device, JointTable};
use burgeon_coexplore::{
    Controller, ControllerConfig, Evolution, Front, FrontPoint, Policy, RandomPolicy, Reward,
    Search, SearchConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{decode, encode, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct CoExploration;

/// The specification.
const MILLISECONDS: f64 = 5.0;

/// The best cell that meets it.
const BEST: usize = 11_465;

/// Fast steps in a slow one, and the mean utilisation at which they end.
const FAST: (usize, f64) = (10, 0.8);

/// Learning rate and entropy of the controller were chosen on seeds 100 to 105.
const CONTROLLER: ControllerConfig = ControllerConfig {
    hidden: 35,
    learning_rate: 0.003,
    baseline: 0.95,
    entropy: 0.02,
};

/// Population and sample of evolution.
const EVOLUTION: (usize, usize) = (50, 10);

/// What hypervolumes are measured from, beside the specification: a guess among ten classes.
const CHANCE: f64 = 0.1;

/// Unit, weight of accuracy in the reward, text.
const METHODS: [(&str, f64, &str); 9] = [
    ("two", 0.5, "two levels, β 0.5"),
    ("one", 0.5, "one level (no fast steps), β 0.5"),
    ("two9", 0.9, "two levels, β 0.9"),
    ("one9", 0.9, "one level (no fast steps), β 0.9"),
    (
        "prune9",
        0.9,
        "two levels, fast steps only until feasible, β 0.9",
    ),
    ("evolution", 0.5, "evolution, β 0.5"),
    ("evolution9", 0.9, "evolution, β 0.9"),
    ("random", 0.5, "random, pruned by hardware"),
    ("blind", 0.5, "random, everything judged"),
];

/// Sizes of a run.
#[derive(Debug, Clone, Serialize)]
struct Sizes {
    seeds: usize,
    /// Cells judged at most.
    judged: usize,
    /// Slow steps at most.
    steps: usize,
    /// Where curves have points, in cells judged.
    points: Vec<usize>,
}

fn sizes(settings: &StudySettings) -> Sizes {
    let (seeds, judged) = match settings.scale {
        Scale::Quick => (20, 1000),
        Scale::Cpu | Scale::Paper => (100, 4000),
    };
    let points = [10, 20, 50, 100, 200, 500, 1000, 2000, 4000];
    Sizes {
        seeds: settings.seeds.unwrap_or(seeds),
        judged,
        steps: 3 * judged,
        points: points
            .into_iter()
            .filter(|point| *point <= judged)
            .collect(),
    }
}

/// What a search came to.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    /// Cells judged until the best one that meets the specification was.
    until_best: Option<usize>,
    /// Cells judged, slow steps, steps that were pruned, and questions to the hardware model.
    judged: usize,
    steps: usize,
    pruned: usize,
    measured: usize,
    /// For each point, the best validation accuracy that met the specification, and the
    /// hypervolume as a share of that of the front of all cells.
    accuracies: Vec<f64>,
    hypervolumes: Vec<f64>,
    /// Test accuracy of the cell that is best in validation.
    test: f64,
}

impl Study for CoExploration {
    fn name(&self) -> &str {
        "co-exploration"
    }

    fn description(&self) -> &str {
        "architecture and hardware searched together, against a table of all NAS-Bench-201 cells \
         on an FPGA model"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(
            &METHODS.map(|(method, ..)| method),
            0,
            sizes(settings).seeds,
        )
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        let weights: Vec<(&str, f64)> = METHODS.map(|(method, beta, _)| (method, beta)).to_vec();
        Ok(json!({
            "milliseconds": MILLISECONDS,
            "fast steps": FAST,
            "controller": CONTROLLER,
            "evolution": EVOLUTION,
            "weights": weights,
            "sizes": Sizes { seeds: 0, ..sizes(settings) },
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (method, seed) = method_and_seed(unit)?;
        let known = METHODS.into_iter().find(|(name, ..)| *name == method);
        let Some((_, beta, _)) = known else {
            return Err(ExperimentError::Settings(format!(
                "`{method}` is no method"
            )));
        };
        let sizes = sizes(&context.settings);
        let space = CellSpace::new(Device::Fpga, MILLISECONDS)?;
        let reward = Reward::co_exploration(beta)?;
        let config = SearchConfig::new(reward, sizes.judged, sizes.steps)?;
        let run = Run {
            context,
            sizes: &sizes,
            space: &space,
            seed,
        };
        let outcome = match method {
            "two" | "two9" => {
                let config = config.with_fast_level(FAST.0, FAST.1)?;
                run.search(Controller::new(&space, CONTROLLER, seed)?, config)?
            }
            "prune9" => {
                let config = config.with_fast_level(FAST.0, 0.0)?;
                run.search(Controller::new(&space, CONTROLLER, seed)?, config)?
            }
            "one" | "one9" => run.search(Controller::new(&space, CONTROLLER, seed)?, config)?,
            "evolution" | "evolution9" => {
                run.search(Evolution::new(&space, EVOLUTION.0, EVOLUTION.1)?, config)?
            }
            "random" => run.search(RandomPolicy::new(&space), config)?,
            _ => run.search(RandomPolicy::new(&space), config.without_pruning())?,
        };
        encode(&outcome)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let sizes = sizes(settings);
        let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
        for (method, ..) in METHODS {
            outcomes.push(results_of(results, method)?);
        }
        report::report(&sizes, &outcomes)
    }
}

/// A search that is about to be made.
struct Run<'a> {
    context: &'a UnitContext,
    sizes: &'a Sizes,
    space: &'a CellSpace,
    seed: u64,
}

impl Run<'_> {
    fn search<P: Policy>(
        &self,
        policy: P,
        config: SearchConfig,
    ) -> Result<Outcome, ExperimentError> {
        let table = JointTable::embedded()?;
        let mut search = Search::new(policy, config, self.seed);
        while search.step(self.space, &mut &table)?.is_some() {
            if self.context.interrupt.load(Ordering::Relaxed) {
                return Err(ExperimentError::Interrupted);
            }
        }
        let volume = |front: &Front| front.hypervolume(MILLISECONDS, CHANCE);
        let all = volume(&table.front(self.space.device()));
        let mut outcome = Outcome {
            until_best: None,
            judged: search.trained(),
            steps: search.children().len(),
            pruned: 0,
            measured: search.measured(),
            accuracies: Vec::new(),
            hypervolumes: Vec::new(),
            test: 0.0,
        };
        let (mut front, mut best, mut judged) = (Front::default(), 0.0_f64, 0);
        for (index, child) in search.children().iter().enumerate() {
            let Some(accuracy) = child.accuracy else {
                outcome.pruned += 1;
                continue;
            };
            if !child.judged {
                continue;
            }
            judged += 1;
            front.add(FrontPoint {
                cost: child.measured.time,
                value: accuracy,
                child: index,
            });
            let entry = table.entry(&child.choices)?;
            if child.measured.is_feasible() && accuracy > best {
                best = accuracy;
                outcome.test = entry.test;
            }
            if entry.number == BEST {
                outcome.until_best = Some(judged);
            }
            if self.sizes.points.contains(&judged) {
                outcome.accuracies.push(best);
                outcome.hypervolumes.push(volume(&front) / all);
            }
        }
        // A search that ended early keeps what it had.
        outcome.accuracies.resize(self.sizes.points.len(), best);
        outcome
            .hypervolumes
            .resize(self.sizes.points.len(), volume(&front) / all);
        Ok(outcome)
    }
}
