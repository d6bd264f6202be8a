//! Programmer-interpreters that grow until they are proved.

mod grown;
mod sweep;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::grown::{Grown, grow};
use self::sweep::{Scratch, sweep};
use super::{decode, encode, method_and_seed, results_of, seed_count};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::statistics::{Mean, range};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct GrownInterpreters;

const TASKS: [&str; 3] = ["quicksort", "topological", "bubble"];

/// A network that grew, and networks of fixed widths at the cost of its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outcome {
    grown: Grown,
    scratch: Vec<Scratch>,
}

impl Study for GrownInterpreters {
    fn name(&self) -> &str {
        "npi-growth"
    }

    fn description(&self) -> &str {
        "Programmer-interpreters that start small and grow until they are proved, against networks \
         of fixed widths at equal training cost"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&TASKS, 0, seeds(settings))
    }

    fn recipe(&self, _: &StudySettings) -> Result<Value, ExperimentError> {
        Ok(json!({ "growth": grown::recipe(), "widths": sweep::WIDTHS }))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (task, seed) = method_and_seed(unit)?;
        let grown = grow(task, seed, context)?;
        let scratch = sweep(task, seed, grown.training_macs, context)?;
        encode(&Outcome { grown, scratch })
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let outcomes = TASKS
            .iter()
            .map(|task| Ok((*task, results_of(results, task)?)))
            .collect::<Result<Vec<(&str, Vec<Outcome>)>, ExperimentError>>()?;
        let seeds = seed_count(seeds(settings));
        Ok(Report {
            tables: vec![proved(&outcomes, &seeds), steps(&outcomes)],
            figures: Vec::new(),
        })
    }
}

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 3,
        Scale::Cpu | Scale::Paper => 10,
    })
}

fn proved(outcomes: &[(&str, Vec<Outcome>)], seeds: &str) -> Table {
    let rows = outcomes.iter().flat_map(|(task, outcomes)| {
        let of = |count: usize| format!("{count} of {}", outcomes.len());
        let mean = |value: &dyn Fn(&Outcome) -> f64, digits| {
            Mean::of(&outcomes.iter().map(value).collect::<Vec<_>>()).text(digits)
        };
        let grown = vec![
            (*task).to_owned(),
            "grown until proved".into(),
            of(outcomes.iter().filter(|o| o.grown.proved).count()),
            mean(&|o| o.grown.widths.iter().sum::<usize>() as f64 / 2.0, 1),
            mean(&|o| o.grown.parameters as f64, 0),
            mean(&|o| o.grown.macs as f64, 0),
            mean(&|o| o.grown.energy as f64 / 1e9, 3),
            mean(&|o| o.grown.training_macs as f64 / 1e9, 1),
        ];
        let scratch = (0..sweep::WIDTHS.len()).map(move |index| {
            let found = outcomes.iter().filter_map(|o| o.scratch.get(index));
            let first = outcomes.first().and_then(|o| o.scratch.get(index));
            vec![
                (*task).to_owned(),
                "from scratch".into(),
                of(found.filter(|s| s.proved).count()),
                sweep::WIDTHS[index].to_string(),
                first.map_or("–".into(), |s| s.parameters.to_string()),
                first.map_or("–".into(), |s| s.macs.to_string()),
                first.map_or("–".into(), |s| format!("{:.3}", s.energy as f64 / 1e9)),
                mean(
                    &|o| {
                        o.scratch
                            .get(index)
                            .map_or(0.0, |s| s.training_macs as f64 / 1e9)
                    },
                    1,
                ),
            ]
        });
        std::iter::once(grown).chain(scratch).collect::<Vec<_>>()
    });
    let columns = [
        "task",
        "network",
        "proved",
        "units a layer",
        "parameters",
        "MACs a step",
        "energy a step, µJ",
        "training, 10⁹ MACs",
    ];
    Table {
        name: "proved".into(),
        title: format!("Networks that grow until they are proved ({seeds})"),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: vec![
            "Networks of fixed width are trained in the same way, counter-examples included, until \
             they are proved or have cost as much as the grown one of the same seed."
                .into(),
            "MACs and energy (f32, the project's model) are of one decision; encoder and program \
             memory are equally wide in all."
                .into(),
        ],
    }
}

fn steps(outcomes: &[(&str, Vec<Outcome>)]) -> Table {
    let rows = outcomes.iter().map(|(task, outcomes)| {
        let steps: Vec<_> = outcomes.iter().flat_map(|o| &o.grown.steps).collect();
        let made = steps.iter().filter(|step| step.made);
        let ratios: Vec<f64> = made
            .clone()
            .filter_map(|step| Some(step.measured? / step.predicted?))
            .collect();
        let change = steps.iter().map(|step| step.change_at_zero);
        let counted = outcomes.iter().map(|o| o.grown.counter_examples as f64);
        vec![
            (*task).to_owned(),
            steps.len().to_string(),
            made.count().to_string(),
            format!("{:.1e}", change.fold(0.0, f64::max)),
            range(&ratios, 3),
            Mean::of(&counted.collect::<Vec<_>>()).text(1),
        ]
    });
    let columns = [
        "task",
        "growth steps",
        "made",
        "largest change of outputs at ε = 0",
        "measured / predicted decrease",
        "counter-examples learned",
    ];
    Table {
        name: "growth-steps".into(),
        title: "Growth steps of the LSTM's units".into(),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: Vec::new(),
    }
}
