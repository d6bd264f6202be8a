//! All sizes of a network for one cost: from one run that grows, from one that is pruned, or each
//! trained by itself.

mod report;
mod run;
mod search;

use burgeon_data::optdigits;
use serde_json::{Value, json};

use self::run::{Family, Job};
use super::images::{self, sample_sets};
use super::{decode, encode, method_and_seed, results_of};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// Widths of both layers, the smallest network first.
const SIZES: [usize; 4] = [8, 16, 24, 32];

/// What all of them cost together, in epochs of the largest.
const COST: f64 = 120.0;

/// That of random new neurons and of training from scratch in `methods-rates`, on this network.
const RATE: f64 = 0.04;

const HELD: f64 = 0.1;

/// Rates were chosen on seeds from 100 on.
const FIRST_SEED: usize = 0;

/// How the sizes come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each from scratch.
    Apart,
    /// One network grows through them.
    Grown,
    /// One network is pruned through them.
    Pruned,
}

impl Way {
    const ALL: [Self; 3] = [Self::Apart, Self::Grown, Self::Pruned];

    fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Grown => "grown",
            Self::Pruned => "pruned",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Apart => "each size from scratch",
            Self::Grown => "one run, growing",
            Self::Pruned => "one run, pruned",
        }
    }
}

/// The study.
#[derive(Debug)]
pub(super) struct SizesOfOneRun;

impl Study for SizesOfOneRun {
    fn name(&self) -> &str {
        "family"
    }

    fn description(&self) -> &str {
        "optdigits, MLP: all sizes from one run that grows, from one that is pruned, and each \
         trained by itself, at equal cost altogether"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let seeds = settings.seeds.unwrap_or(match settings.scale {
            Scale::Quick => 20,
            Scale::Cpu | Scale::Paper => 40,
        });
        Units::new(&Way::ALL.map(Way::name), FIRST_SEED, seeds)
    }

    fn recipe(&self, _settings: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({
            "sizes": SIZES,
            "cost": COST,
            "rate": RATE,
            "held": HELD,
            "networks": images::constants(),
            "run": run::constants(),
        }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Family>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (name, seed) = method_and_seed(unit)?;
        let way = Way::ALL.into_iter().find(|way| way.name() == name);
        let way = way.ok_or_else(|| {
            ExperimentError::Settings(format!("`{unit}` is no unit of this study"))
        })?;
        let set = optdigits::load()?;
        let sets = sample_sets(&set, HELD, seed, context)?;
        encode(&Job::new(context, &sets, seed)?.run(way)?)
    }

    fn report(
        &self,
        _settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut ways = Vec::new();
        for way in Way::ALL {
            ways.push((way, results_of::<Family>(results, way.name())?));
        }
        Ok(Report {
            tables: vec![report::table(&ways), search::table(&ways)],
            figures: vec![report::figure(&ways)],
        })
    }
}
