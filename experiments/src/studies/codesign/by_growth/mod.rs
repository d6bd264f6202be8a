//! Co-exploration by growth: after each growth the best hardware is found anew, so that one run
//! walks the front of accuracy and throughput; against searches that train every child from
//! scratch, at equal multiply-accumulates of training.

mod bench;
mod report;
mod search;
mod space;
mod walk;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::bench::{Bench, Point};
use self::search::{Proposes, searched};
use self::walk::walks;
use super::super::{decode, encode, images, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(in super::super) struct GrowthExploration;

/// Unit, text, and who proposes networks; growth where nobody does.
const WAYS: [(&str, &str, Option<Proposes>); 5] = [
    ("growth", "growth", None),
    (
        "two",
        "reinforcement learning, two levels",
        Some(Proposes::TwoLevels),
    ),
    ("evolution", "evolution", Some(Proposes::Evolution)),
    (
        "evolution-fast",
        "evolution, short times rewarded",
        Some(Proposes::FastEvolution),
    ),
    (
        "random",
        "random, pruned by hardware",
        Some(Proposes::Chance),
    ),
];

/// What a run came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    /// Multiply-accumulates that it might cost.
    budget: u64,
    /// Networks that were trained to an end, in their order.
    points: Vec<Point>,
}

/// Seeds, and the cost of a run in epochs of the widest network.
fn sizes(settings: &StudySettings) -> (usize, usize) {
    let (seeds, epochs) = match settings.scale {
        Scale::Quick => (5, 15),
        Scale::Cpu | Scale::Paper => (20, 200),
    };
    (settings.seeds.unwrap_or(seeds), epochs)
}

impl Study for GrowthExploration {
    fn name(&self) -> &str {
        "co-exploration-growth"
    }

    fn description(&self) -> &str {
        "optdigits: one growing network, for which the best hardware is found anew after each \
         growth, against searches of architecture and hardware, at equal training cost"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&WAYS.map(|(name, ..)| name), 0, sizes(settings).0)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "epochs of the widest": sizes(settings).1,
            "widths": space::WIDTHS,
            "cycles": space::CYCLES,
            "board": space::BOARD,
            "tiles": [&space::OUTPUTS[..], &space::INPUTS[..]],
            "ports": space::PORTS,
            "rate": bench::RATE,
            "batch": bench::BATCH,
            "held": bench::HELD,
            "growth": walk::constants(),
            "searches": search::constants(),
            "networks": images::constants(),
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (name, seed) = method_and_seed(unit)?;
        let Some((.., proposes)) = WAYS.into_iter().find(|(known, ..)| *known == name) else {
            return Err(ExperimentError::Settings(format!(
                "`{unit}` is no unit of this study"
            )));
        };
        let (_, epochs) = sizes(&context.settings);
        let bench = Bench::new(
            context,
            self.recipe(&context.settings)?,
            seed,
            epochs,
            space::WIDEST,
        )?;
        let mut points = match proposes {
            None => walks(&bench)?,
            Some(proposes) => searched(&bench, proposes)?,
        };
        // What was not there when the cost was spent does not count.
        points.retain(|point| point.spent <= bench.budget);
        encode(&Outcome {
            budget: bench.budget,
            points,
        })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let (_, epochs) = sizes(settings);
        let ways = WAYS.map(|(name, ..)| results_of(results, name));
        let ways = ways.into_iter().collect::<Result<Vec<_>, _>>()?;
        report::report(&ways, epochs)
    }
}
