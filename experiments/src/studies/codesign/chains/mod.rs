//! The space of arXiv 1907.04650 on real images: chains of convolutions and the accelerators of the
//! boards that they are cut over, searched together, against searches with fixed hardware.

mod net;
mod report;
mod run;

use serde::Serialize;
use serde_json::{Value, json};

use self::run::Outcome;
use super::super::{decode, encode, images, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(in super::super) struct ChainExploration;

/// Who proposes children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    TwoLevels,
    OneLevel,
    Evolution,
    Random,
    FixedHardware,
}

/// Unit, text, and who proposes children; the first is what the others are compared with.
const WAYS: [(&str, &str, Way); 5] = [
    ("two", "two levels", Way::TwoLevels),
    ("one", "one level (no fast steps)", Way::OneLevel),
    ("evolution", "evolution", Way::Evolution),
    ("random", "random, pruned by hardware", Way::Random),
    ("fixed", "one level, hardware fixed", Way::FixedHardware),
];

/// Sizes of a run.
#[derive(Debug, Clone, Serialize)]
struct Setting {
    set: &'static str,
    /// Channels, rows and columns of images.
    images: [usize; 2],
    /// Convolutions of a stage at most.
    longest: usize,
    /// Numbers of filters that a convolution may have.
    filters: [usize; 4],
    /// Seconds between two samples at most.
    period: f64,
    /// Training samples.
    samples: usize,
    epochs: usize,
    /// Children that are trained.
    trained: usize,
    seeds: usize,
}

fn setting(settings: &StudySettings) -> Setting {
    let own = match settings.scale {
        Scale::Quick => Setting {
            set: "optdigits",
            images: [1, 8],
            longest: 3,
            filters: [8, 12, 16, 21],
            period: 20e-6,
            samples: 2000,
            epochs: 6,
            trained: 24,
            seeds: 3,
        },
        Scale::Cpu => Setting {
            set: "cifar-10",
            images: [3, 16],
            longest: 3,
            filters: [12, 18, 24, 32],
            period: 80e-6,
            samples: 4000,
            epochs: 4,
            trained: 24,
            seeds: 3,
        },
        // Filters, images and depths of the published networks; boards, limit and numbers of
        // trainings are not known.
        Scale::Paper => Setting {
            set: "cifar-10",
            images: [3, 32],
            longest: 7,
            filters: burgeon_coexplore::chain::FILTERS,
            period: 600e-6,
            samples: 40_000,
            epochs: 25,
            trained: 500,
            seeds: 3,
        },
    };
    Setting {
        seeds: settings.seeds.unwrap_or(own.seeds),
        ..own
    }
}

impl Study for ChainExploration {
    fn name(&self) -> &str {
        "co-exploration-chains"
    }

    fn description(&self) -> &str {
        "chains of convolutions on two FPGAs, networks and accelerators searched together by training \
         every child, against fixed hardware (`cpu`: CIFAR-10, needs `cargo xtask data fetch cifar-10`)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn scales(&self) -> Vec<Scale> {
        Scale::ALL.to_vec()
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&WAYS.map(|(name, ..)| name), 0, setting(settings).seeds)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "setting": Setting { seeds: 0, ..setting(settings) },
            "searches": run::constants(),
            "networks": images::constants(),
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (name, seed) = method_and_seed(unit)?;
        let Some((.., way)) = WAYS.into_iter().find(|(known, ..)| *known == name) else {
            return Err(ExperimentError::Settings(format!(
                "`{unit}` is no unit of this study"
            )));
        };
        let recipe = self.recipe(&context.settings)?;
        let setting = setting(&context.settings);
        encode(&run::run(context, &recipe, &setting, way, seed)?)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let ways = WAYS.map(|(name, ..)| results_of(results, name));
        let ways = ways.into_iter().collect::<Result<Vec<_>, _>>()?;
        report::report(&setting(settings), &ways)
    }
}
