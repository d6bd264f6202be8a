//! The learning rate of each way, chosen on held samples of seeds that no table reports.

use serde_json::Value;

use super::super::{decode, results_of, seed_count};
use super::arm::{ARMS, Arm};
use super::bench::{self, Bench};
use super::run::Measured;
use super::{kind, recipe_of, run_unit};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::statistics::Mean;
use crate::study::{Study, StudySettings, UnitContext};
use crate::units::Units;

/// Seeds of tables are below.
pub(super) const FIRST_SEED: usize = 100;

/// All ways at each of three rates, on some benches.
#[derive(Debug)]
pub(in super::super) struct Rates {
    name: &'static str,
    description: &'static str,
    benches: &'static [Bench],
}

impl Rates {
    /// The MLP on the embedded digits.
    pub const DIGITS: Self = Self {
        name: "methods-rates",
        description: "how the learning rates of `methods` were chosen: three for each way, on held \
                      samples of other seeds",
        benches: bench::MLP,
    };
    /// The convolutional net on the embedded digits.
    pub const CONV: Self = Self {
        name: "methods-conv-rates",
        description: "how the learning rates of `methods-conv` were chosen",
        benches: bench::CONV,
    };
    /// On Fashion-MNIST.
    pub const FASHION: Self = Self {
        name: "methods-fashion-rates",
        description: "how the learning rates of `methods-fashion` were chosen",
        benches: bench::FASHION,
    };
}

fn seeds(bench: &Bench, settings: &StudySettings) -> usize {
    settings
        .seeds
        .unwrap_or(bench.size(settings.scale).rate_seeds)
}

impl Study for Rates {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let mut units = Units::default();
        for bench in self.benches {
            let of_arm = |arm: &'static Arm| bench.rates.map(|rate| kind(bench, arm, rate));
            let kinds: Vec<String> = ARMS.iter().flat_map(of_arm).collect();
            units = units.and(&kinds, FIRST_SEED, seeds(bench, settings))?;
        }
        Ok(units)
    }

    fn recipe(&self, settings: &StudySettings) -> Value {
        recipe_of(self.benches, settings)
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        run_unit(self.benches, unit, context)
    }

    fn report(
        &self,
        _settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let mut report = Report::default();
        for bench in self.benches {
            report.tables.push(table(bench, results)?);
        }
        Ok(report)
    }
}

fn table(bench: &Bench, results: &[(String, Value)]) -> Result<Table, ExperimentError> {
    let mut rows = Vec::new();
    let mut others = Vec::new();
    let mut count = 0;
    for arm in ARMS {
        let mut cells = vec![arm.label.to_owned()];
        let mut best: Option<(f64, f64)> = None;
        for rate in bench.rates {
            let runs: Vec<Measured> = results_of(results, &kind(bench, arm, rate))?;
            let losses: Vec<f64> = runs.iter().map(|run| run.held_loss).collect();
            let accuracies: Vec<f64> = runs.iter().map(|run| 100.0 * run.held_accuracy).collect();
            let loss = Mean::of(&losses);
            count = loss.count;
            cells.push(format!(
                "{} ({:.2} %)",
                loss.text_with_error(4),
                Mean::of(&accuracies).value
            ));
            if best.is_none_or(|(least, _)| loss.value < least) {
                best = Some((loss.value, rate));
            }
        }
        let best = best.map_or(f64::NAN, |(_, rate)| rate);
        if best != arm.rate(bench) {
            others.push(format!(
                "{} ({} instead of {best})",
                arm.label,
                arm.rate(bench)
            ));
        }
        cells.push(best.to_string());
        rows.push(cells);
    }
    let rates = bench.rates.map(|rate| format!("rate {rate}"));
    let ends = ["way".to_owned(), "best".to_owned()];
    let [first, last] = ends;
    let mut notes = vec![
        "Loss and accuracy on the held samples at the end of training; the best rate is that of the \
         least mean loss."
            .to_owned(),
    ];
    if !others.is_empty() {
        let others = others.join(", ");
        notes.push(format!(
            "The tables of the study use other rates than these for: {others}."
        ));
    }
    Ok(Table {
        name: format!("methods-rates-{}", bench.name),
        title: format!(
            "{}: held loss at three learning rates ({} from {FIRST_SEED} on{})",
            bench.title,
            seed_count(count),
            if count > 1 {
                ", mean ± standard error"
            } else {
                ""
            },
        ),
        columns: std::iter::once(first).chain(rates).chain([last]).collect(),
        rows,
        notes,
    })
}
