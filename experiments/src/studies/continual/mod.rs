//! Tasks in sequence: learned by growth, against fine-tuning, elastic weight consolidation, separate
//! networks, and one network of the same size that sees all tasks at once.

mod methods;
mod report;
mod scenario;

use burgeon_data::load;
use serde_json::{Value, json};

use self::methods::{Outcome, run_unit};
use self::scenario::Scenario;
use super::{decode, encode, method_and_seed};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// The study.
#[derive(Debug)]
pub(super) struct Continual;

fn seeds(settings: &StudySettings) -> usize {
    settings.seeds.unwrap_or(match settings.scale {
        Scale::Quick => 3,
        Scale::Cpu | Scale::Paper => 5,
    })
}

impl Study for Continual {
    fn name(&self) -> &str {
        "continual"
    }

    fn description(&self) -> &str {
        "tasks in sequence (split MNIST, split CIFAR-10, permuted Fashion-MNIST) by growth, against \
         fine-tuning, EWC, separate nets and all tasks at once (needs `cargo xtask data fetch` for \
         mnist, cifar-10 and fashion-mnist)"
    }

    fn is_default(&self) -> bool {
        false
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        Units::new(&Scenario::ALL.map(Scenario::name), 0, seeds(settings))
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        let recipes = Scenario::ALL.map(|scenario| {
            let recipe = scenario.recipe(settings.scale);
            (scenario.name().to_owned(), json!(recipe))
        });
        Ok(Value::Object(recipes.into_iter().collect()))
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Outcome>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        let (name, seed) = method_and_seed(unit)?;
        let scenario = Scenario::named(name)?;
        let set = load(scenario.data(), &context.settings.data)?;
        let recipe = scenario.recipe(context.settings.scale);
        let tasks = scenario.tasks(&set, &recipe, seed, &context.backend.device())?;
        encode(&run_unit(context, scenario, &recipe, &tasks, seed)?)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        report::report(settings.scale, seeds(settings), results)
    }
}
