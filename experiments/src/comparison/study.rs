//! A comparison as a study.

use serde_json::Value;

use super::file::File;
use super::recipe::Recipe;
use super::report;
use super::run::Measured;
use super::unit::{Kind, kinds, run_unit, unit_recipe};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::results::{decode, encode};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// A study that is a file.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub name: String,
    description: String,
    by_default: bool,
    pub file: File,
}

impl Comparison {
    pub fn new(name: String, file: File) -> Result<Self, ExperimentError> {
        let said = |key: &str| file.value(key);
        Ok(Self {
            description: said("description")
                .and_then(|v| v.as_str())
                .unwrap_or("")
                .to_owned(),
            by_default: said("by-default")
                .and_then(|v| v.as_bool())
                .unwrap_or(false),
            name,
            file,
        })
    }

    pub fn recipe(&self, settings: &StudySettings) -> Result<Recipe, ExperimentError> {
        let recipe = self.file.recipe(settings);
        recipe.map_err(|error| ExperimentError::Settings(format!("{}: {error}", self.name)))
    }
}

impl Study for Comparison {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn is_default(&self) -> bool {
        self.by_default
    }

    fn scales(&self) -> Vec<Scale> {
        self.file.scales()
    }

    fn takes_changes(&self) -> bool {
        true
    }

    fn units(&self, settings: &StudySettings) -> Result<Units, ExperimentError> {
        let recipe = self.recipe(settings)?;
        let mut methods = Vec::new();
        for arm in recipe.arms()? {
            let own = kinds(&recipe, &arm, arm.method.rate);
            methods.extend(own.iter().map(Kind::text));
        }
        let seeds = settings.seeds.unwrap_or(recipe.seeds);
        Units::new(&methods, recipe.first_seed, seeds)
    }

    fn recipe(&self, settings: &StudySettings) -> Result<Value, ExperimentError> {
        encode(&self.recipe(settings)?)
    }

    fn unit_recipe(&self, settings: &StudySettings, unit: &str) -> Result<Value, ExperimentError> {
        unit_recipe(&self.recipe(settings)?, unit)
    }

    fn check(&self, unit: &str, result: &Value) -> Result<(), ExperimentError> {
        decode::<Measured>(unit, result).map(drop)
    }

    fn run(&self, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
        run_unit(&self.recipe(&context.settings)?, unit, context)
    }

    fn report(
        &self,
        settings: &StudySettings,
        results: &[(String, Value)],
    ) -> Result<Report, ExperimentError> {
        report::report(&self.name, &self.recipe(settings)?, settings.scale, results)
    }
}
