//! The learning rate of each method, chosen on held samples of seeds that no table reports.

use serde_json::Value;

use super::recipe::Recipe;
use super::run::Measured;
use super::study::Comparison;
use super::unit::{Kind, kinds, run_unit, unit_recipe};
use crate::error::ExperimentError;
use crate::report::{Report, Table};
use crate::results::{decode, encode, results_of, seed_count};
use crate::statistics::Mean;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// Seeds of tables are below.
const FIRST_SEED: usize = 100;

/// All methods of a comparison at each of its rates.
#[derive(Debug, Clone)]
pub(super) struct Rates {
    name: String,
    description: String,
    comparison: Comparison,
}

impl Rates {
    /// Of a comparison whose methods have rates to choose from.
    pub fn of(comparison: &Comparison) -> Result<Option<Self>, ExperimentError> {
        let Some(scale) = comparison.scales().first().copied() else {
            return Ok(None);
        };
        let recipe = comparison.recipe(&StudySettings::at(scale))?;
        if recipe.train.rates.is_empty() {
            return Ok(None);
        }
        let name = &comparison.name;
        Ok(Some(Self {
            name: format!("{name}-rates"),
            description: format!(
                "how the learning rates of `{name}` were chosen, on held samples of other seeds"
            ),
            comparison: comparison.clone(),
        }))
    }
}

impl Study for Rates {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn is_default(&self) -> bool {
        false
    }

    fn scales(&self) -> Vec<Scale> {
        self.comparison.scales()
    }

    fn takes_changes(&self) -> bool {
        true
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let recipe = self.comparison.recipe(settings)?;
        let mut all = Vec::new();
        for arm in recipe.arms()? {
            for rate in &arm.train.rates {
                all.extend(kinds(&recipe, &arm, *rate).iter().map(Kind::text));
            }
        }
        let seeds = settings.seeds.unwrap_or(recipe.rate_seeds.max(1));
        Units::new(&all, FIRST_SEED, seeds)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        encode(&self.comparison.recipe(settings)?)
    }

    fn unit_recipe(&self, settings: &StudySettings, unit: &str) -> Result<Value, ExperimentError> {
        unit_recipe(&self.comparison.recipe(settings)?, unit)
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        run_unit(&self.comparison.recipe(&context.settings)?, unit, context)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        let recipe = self.comparison.recipe(settings)?;
        Ok(Report {
            tables: vec![table(&self.name, &recipe, results)?],
            figures: Vec::new(),
        })
    }
}

fn table(
    name: &str,
    recipe: &Recipe,
    results: &[(String, Value)],
) -> Result<Table, ExperimentError> {
    let mut rows = Vec::new();
    let mut others = Vec::new();
    let mut count = 0;
    for arm in recipe.arms()? {
        let mut cells = vec![arm.method.label.clone()];
        let mut best: Option<(f64, f64)> = None;
        for rate in &arm.train.rates {
            let mut budgets: Vec<Vec<Measured>> = Vec::new();
            for kind in kinds(recipe, &arm, *rate) {
                budgets.push(results_of(results, &kind.text())?);
            }
            let losses = by_seed(&budgets, |run| run.held_loss);
            let accuracies = by_seed(&budgets, |run| 100.0 * run.held_accuracy);
            let loss = Mean::of(&losses);
            count = loss.count;
            cells.push(format!(
                "{rate}: {} ({:.2} %)",
                loss.text_with_error(4),
                Mean::of(&accuracies).value
            ));
            if best.is_none_or(|(least, _)| loss.value < least) {
                best = Some((loss.value, *rate));
            }
        }
        let best = best.map_or(f64::NAN, |(_, rate)| rate);
        if best != arm.method.rate {
            let label = &arm.method.label;
            others.push(format!("{label} ({} instead of {best})", arm.method.rate));
        }
        // Methods may choose from fewer rates than others.
        cells.resize(recipe.train.rates.len() + 1, String::new());
        cells.push(best.to_string());
        rows.push(cells);
    }
    let numbered =
        (1..=recipe.train.rates.len()).map(|number| format!("held loss at rate {number}"));
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
        name: name.to_owned(),
        title: format!(
            "{}: held loss at each learning rate ({} from {FIRST_SEED} on{})",
            recipe.title,
            seed_count(count),
            if count > 1 {
                ", mean ± standard error"
            } else {
                ""
            },
        ),
        columns: std::iter::once("method".to_owned())
            .chain(numbered)
            .chain(["best".to_owned()])
            .collect(),
        rows,
        notes,
    })
}

/// The mean over all budgets, seed by seed.
fn by_seed(budgets: &[Vec<Measured>], of: impl Fn(&Measured) -> f64) -> Vec<f64> {
    let seeds = budgets.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |seed: usize| {
        let sum: f64 = budgets.iter().map(|runs| of(&runs[seed])).sum();
        sum / budgets.len() as f64
    };
    (0..seeds).map(mean).collect()
}
