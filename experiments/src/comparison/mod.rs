//! Comparisons: studies of one shape, each a file.
//!
//! A file says on what data which networks come to their size by which methods, at which training
//! cost; runner, table and figures are the same for all. Every run of a file costs the same, growing
//! included.

mod data;
mod file;
mod growing;
mod net;
mod prune;
mod rates;
mod recipe;
mod report;
mod run;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Value, json};

use self::file::File;
use self::rates::Rates;
use self::recipe::{Arm, Recipe};
use self::run::{Measured, measured};
use crate::error::ExperimentError;
use crate::report::Report;
use crate::studies::{decode, encode, method_and_seed};
use crate::study::{Scale, Study, StudySettings, UnitContext};
use crate::units::Units;

/// A study that is a file.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    name: String,
    description: String,
    by_default: bool,
    file: File,
}

/// All comparisons that come with the program, those of their learning rates behind them.
///
/// # Errors
/// [`ExperimentError::Settings`] for a file that is no comparison.
pub(crate) fn all() -> Result<Vec<Box<dyn Study>>, ExperimentError> {
    let names = || file::FILES.iter().map(|(name, _)| *name);
    let comparisons = names().map(|name| Comparison::new(name.to_owned(), File::named(name)?));
    // A file without scales is there to be inherited.
    let comparisons = comparisons.filter(|found| {
        let found = found.as_ref();
        found.map_or(true, |comparison| !comparison.file.scales().is_empty())
    });
    let comparisons: Vec<Comparison> = comparisons.collect::<Result<_, _>>()?;
    let rates: Vec<Rates> = comparisons
        .iter()
        .filter_map(|comparison| Rates::of(comparison).transpose())
        .collect::<Result<_, _>>()?;
    let boxed = comparisons
        .into_iter()
        .map(|own| Box::new(own) as Box<dyn Study>);
    Ok(boxed
        .chain(rates.into_iter().map(|own| Box::new(own) as Box<dyn Study>))
        .collect())
}

/// The comparison that the file at `path` says; its name is the file's.
///
/// # Errors
/// [`ExperimentError::File`] for one that cannot be read, [`ExperimentError::Settings`] for one that
/// is no comparison.
pub(crate) fn at(path: &Path) -> Result<Box<dyn Study>, ExperimentError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Box::new(Comparison::new(
        name.into_owned(),
        File::at(path)?,
    )?))
}

impl Comparison {
    fn new(name: String, file: File) -> Result<Self, ExperimentError> {
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

    fn recipe(&self, settings: &StudySettings) -> Result<Recipe, ExperimentError> {
        let recipe = self.file.recipe(settings);
        recipe.map_err(|error| ExperimentError::Settings(format!("{}: {error}", self.name)))
    }
}

/// A unit of a comparison: a method, a multiple of the start's cost where there are several, a rate.
struct Kind<'a> {
    method: &'a str,
    multiple: Option<f64>,
    rate: f64,
}

impl Kind<'_> {
    fn text(&self) -> String {
        let Self { method, rate, .. } = self;
        match self.multiple {
            Some(multiple) => format!("{method},{multiple},{rate}"),
            None => format!("{method},{rate}"),
        }
    }
}

/// Those of one arm at a rate, one for each budget.
fn kinds<'a>(recipe: &'a Recipe, arm: &Arm<'a>, rate: f64) -> Vec<Kind<'a>> {
    let of = |multiple| Kind {
        method: arm.name,
        multiple,
        rate,
    };
    let multiples = &recipe.budget.multiples;
    match multiples.is_empty() {
        true => vec![of(None)],
        false => multiples
            .iter()
            .map(|multiple| of(Some(*multiple)))
            .collect(),
    }
}

fn parse(unit: &str) -> Result<(Kind<'_>, u64), ExperimentError> {
    let (kind, seed) = method_and_seed(unit)?;
    let fields: Vec<&str> = kind.split(',').collect();
    let number = |field: &str| field.parse::<f64>().ok();
    let kind = match fields[..] {
        [method, rate] => number(rate).map(|rate| (method, None, rate)),
        [method, multiple, rate] => number(multiple)
            .zip(number(rate))
            .map(|(multiple, rate)| (method, Some(multiple), rate)),
        _ => None,
    };
    let (method, multiple, rate) = kind
        .ok_or_else(|| ExperimentError::Settings(format!("`{unit}` is no unit of this study")))?;
    let kind = Kind {
        method,
        multiple,
        rate,
    };
    Ok((kind, seed))
}

fn run_unit(recipe: &Recipe, unit: &str, context: &UnitContext) -> Result<Value, ExperimentError> {
    let (kind, seed) = parse(unit)?;
    let arm = recipe.arm(kind.method)?;
    encode(&measured(
        context,
        recipe,
        &arm,
        kind.multiple,
        kind.rate,
        seed,
    )?)
}

/// What the result of a unit depends on: not on the other methods.
fn unit_recipe(recipe: &Recipe, unit: &str) -> Result<Value, ExperimentError> {
    let (kind, _) = parse(unit)?;
    let part = |name: &str| {
        let arm = recipe.arm(name)?;
        Ok::<_, ExperimentError>(json!({
            "way": arm.method.way,
            "rate": arm.method.rate,
            "prune": arm.method.prune,
            "start": arm.method.start,
            "train": arm.train,
            "grow": arm.grow,
        }))
    };
    let mut method = part(kind.method)?;
    // Its own rate is in the unit's name, and those to choose from change nothing.
    method["rate"] = json!(kind.rate);
    let first = recipe.arm(kind.method)?.method.widths_of.as_deref();
    if let Some(first) = first {
        method["widths of"] = part(first)?;
    }
    let mut value = json!({
        "data": recipe.data,
        "net": recipe.net,
        "budget": recipe.budget,
        "method": method,
    });
    for path in ["/method/train", "/method/widths of/train"] {
        if let Some(Value::Object(train)) = value.pointer_mut(path) {
            train.remove("rates");
        }
    }
    Ok(value)
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
