//! What the recipe of growing is changed by, one change at a time.

use serde_json::{Value, json};

use super::super::{decode, encode, method_and_seed, results_of, seed_count};
use super::arm::Arm;
use super::bench::{self, Bench};
use super::rates::FIRST_SEED;
use super::recipe::Recipe;
use super::run::{Measured, measured};
use super::{bench_and_rest, no_unit, recipe_of};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::statistics::{Mean, PairedDifference};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// Changes of the recipe.
#[derive(Debug)]
pub(in super::super) struct Changes;

/// One change.
struct Change {
    name: &'static str,
    label: &'static str,
    /// The ways that it is tried on.
    arms: &'static [&'static str],
    recipe: Recipe,
}

/// The MLP on digits, whose runs take seconds.
const BENCHES: &[Bench] = bench::MLP;

/// The learning rate of all alike.
const RATE: f64 = 0.01;

/// What is changed.
const BASE: Recipe = Recipe {
    growths: 1,
    until: 0.3,
    rewarm: None,
    zero_moments: false,
};

const BOTH: &[&str] = &["new", "s2d"];

const CHANGES: [Change; 8] = [
    Change {
        name: "base",
        label: "one doubling at 30 % of the cost",
        arms: &["scratch", "new", "s2d"],
        recipe: BASE,
    },
    Change {
        name: "early",
        label: "doubling at 15 %",
        arms: BOTH,
        recipe: Recipe {
            until: 0.15,
            ..BASE
        },
    },
    Change {
        name: "late",
        label: "doubling at 60 %",
        arms: BOTH,
        recipe: Recipe { until: 0.6, ..BASE },
    },
    Change {
        name: "twice",
        label: "two doublings from a quarter, at 15 % and 30 %",
        arms: BOTH,
        recipe: Recipe { growths: 2, ..BASE },
    },
    Change {
        name: "twice-late",
        label: "two doublings from a quarter, at 30 % and 60 %",
        arms: BOTH,
        recipe: Recipe {
            growths: 2,
            until: 0.6,
            ..BASE
        },
    },
    Change {
        name: "rewarm",
        label: "the rate re-warmed to 1.3 times for 5 epochs after growth",
        arms: BOTH,
        recipe: Recipe {
            rewarm: Some((1.3, 5)),
            ..BASE
        },
    },
    Change {
        name: "zero",
        label: "copies start with zero moments",
        arms: &["s2d"],
        recipe: Recipe {
            zero_moments: true,
            ..BASE
        },
    },
    Change {
        name: "chosen",
        label: "doubling at 15 %, copies start with zero moments",
        arms: &["s2d"],
        recipe: Recipe::ONCE,
    },
];

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 6,
        Scale::Full => 40,
    })
}

impl Study for Changes {
    fn name(&self) -> &'static str {
        "methods-recipe"
    }

    fn description(&self) -> &'static str {
        "what the recipe of `methods` is changed by, one change at a time, on other seeds"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let mut kinds = Vec::new();
        for bench in BENCHES {
            for change in &CHANGES {
                let of = |arm: &&str| format!("{}.{}.{arm}", bench.name, change.name);
                kinds.extend(change.arms.iter().map(of));
            }
        }
        Units::new(&kinds, FIRST_SEED, seeds(settings))
    }

    fn recipe(&self, settings: &StudySettings) -> Value {
        let changes = CHANGES
            .iter()
            .map(|change| (change.name.to_owned(), json!(change.recipe)));
        json!({
            "all": recipe_of(BENCHES, settings),
            "changes": changes.collect::<serde_json::Map<_, _>>(),
            "rate": RATE,
        })
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (kind, seed) = method_and_seed(unit)?;
        let (bench, rest) = bench_and_rest(BENCHES, kind)?;
        let parts = rest.split_once('.').and_then(|(name, arm)| {
            let change = CHANGES.iter().find(|change| change.name == name)?;
            Some((change, arm))
        });
        let (change, arm) = parts.ok_or_else(|| no_unit(unit))?;
        let arm = Arm::named(arm)?;
        encode(&measured(context, bench, arm, &change.recipe, RATE, seed)?)
    }

    fn report(
        &self,
        _settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for bench in BENCHES {
            report.tables.push(table(bench, results)?);
        }
        Ok(report)
    }
}

fn table(bench: &Bench, results: &[(String, Value)]) -> Result<Table, ExperimentError> {
    let runs = |change: &str, arm: &str| -> Result<Vec<Measured>, ExperimentError> {
        results_of(results, &format!("{}.{change}.{arm}", bench.name))
    };
    let accuracies = |runs: &[Measured]| -> Vec<f64> {
        runs.iter().map(|run| 100.0 * run.held_accuracy).collect()
    };
    let losses = |runs: &[Measured]| -> Vec<f64> { runs.iter().map(|run| run.held_loss).collect() };
    let mut rows = Vec::new();
    let mut count = 0;
    for change in &CHANGES {
        for name in change.arms {
            let (own, base) = (runs(change.name, name)?, runs("base", name)?);
            count = own.len();
            let difference = match change.name {
                "base" => String::new(),
                _ => PairedDifference::new(&losses(&own), &losses(&base)).text(4),
            };
            rows.push(vec![
                change.label.to_owned(),
                Arm::named(name)?.label.to_owned(),
                Mean::of(&accuracies(&own)).text_with_error(2),
                Mean::of(&losses(&own)).text_with_error(4),
                difference,
            ]);
        }
    }
    let columns = [
        "recipe",
        "way",
        "held accuracy %",
        "held loss",
        "held loss less the first recipe's",
    ];
    Ok(Table {
        name: format!("methods-recipe-{}", bench.name),
        title: format!(
            "{}: changes of the recipe at equal cost, rate {} ({} from {FIRST_SEED} on{})",
            bench.title,
            RATE,
            seed_count(count),
            if count > 1 {
                ", mean ± standard error"
            } else {
                ""
            },
        ),
        columns: columns.map(str::to_owned).into(),
        rows,
        notes: Vec::new(),
    })
}
