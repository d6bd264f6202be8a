//! Results of units as files, each with the recipe it came of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burgeon_nn::stored::write_atomically;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ExperimentError;
use crate::recipe::differences;
use crate::study::{Study, StudySettings};

/// What the file of a unit holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptUnit {
    recipe: Value,
    result: Value,
}

/// The folder of the units of the study whose results lie in `folder`.
pub(crate) fn unit_folder(folder: &Path) -> PathBuf {
    folder.join("units")
}

/// The file of a unit's result in the folder of units.
pub(crate) fn unit_file(unit_folder: &Path, unit: &str) -> PathBuf {
    unit_folder.join(format!("{unit}.json"))
}

/// The result of one unit, if it is kept.
///
/// # Errors
/// As [`kept_results`].
pub(crate) fn kept_result(
    study: &dyn Study,
    unit: &str,
    recipe: &Value,
    unit_folder: &Path,
) -> Result<Option<Value>, ExperimentError> {
    let path = unit_file(unit_folder, unit);
    match path.exists() {
        true => read(study, unit, recipe, &path).map(Some),
        false => Ok(None),
    }
}

/// The results of `study` that are kept in `folder`, by the unit's number. Every one of them was
/// checked: it came of this recipe, and it is what the study reads.
///
/// # Errors
/// [`ExperimentError::OtherRecipe`] for a result of another recipe, [`ExperimentError::File`] for a
/// file that holds none: both name the one file.
pub fn kept_results(
    study: &dyn Study,
    settings: &StudySettings,
    folder: &Path,
) -> Result<BTreeMap<usize, Value>, ExperimentError> {
    let units = study.units(settings)?;
    let folder = unit_folder(folder);
    let mut results = BTreeMap::new();
    if !folder.exists() {
        return Ok(results);
    }
    for entry in fs::read_dir(&folder).map_err(ExperimentError::io(&folder))? {
        let path = entry.map_err(ExperimentError::io(&folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let unit = name.and_then(|name| name.strip_suffix(".json"));
        if let Some((unit, index)) = unit.and_then(|unit| Some((unit, units.index(unit)?))) {
            let recipe = study.unit_recipe(settings, unit)?;
            results.insert(index, read(study, unit, &recipe, &path)?);
        }
    }
    Ok(results)
}

fn read(
    study: &dyn Study,
    unit: &str,
    recipe: &Value,
    path: &Path,
) -> Result<Value, ExperimentError> {
    let unsound = |error: &dyn std::fmt::Display| {
        let problem =
            format!("not a result of this experiment ({error}): delete it to run it again");
        ExperimentError::file(path, problem)
    };
    let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
    let kept: KeptUnit = serde_json::from_str(&text).map_err(|error| unsound(&error))?;
    let differences = differences(&kept.recipe, recipe);
    if !differences.is_empty() {
        let path = path.to_owned();
        return Err(ExperimentError::OtherRecipe { path, differences });
    }
    study
        .check(unit, &kept.result)
        .map_err(|error| unsound(&error))?;
    Ok(kept.result)
}

/// Keeps `result`, whole or not at all, also after a loss of power.
pub(crate) fn write(path: &Path, recipe: &Value, result: &Value) -> Result<(), ExperimentError> {
    let kept = KeptUnit {
        recipe: recipe.clone(),
        result: result.clone(),
    };
    let text = serde_json::to_string(&kept)
        .map_err(|error| ExperimentError::file(path, format!("cannot be kept: {error}")))?;
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Keeps the state of a unit under way.
pub(crate) fn write_state<S: Serialize>(
    path: &Path,
    recipe: &Value,
    state: &S,
) -> Result<(), ExperimentError> {
    let text = serde_json::to_string(&(recipe, state))
        .map_err(|error| ExperimentError::file(path, format!("cannot be kept: {error}")))?;
    Ok(write_atomically(path, text.as_bytes())?)
}

/// The state of a unit under way, if one is kept.
///
/// # Errors
/// [`ExperimentError::OtherRecipe`] for one of another recipe, [`ExperimentError::File`] for a file
/// that holds none.
pub(crate) fn read_state<S: DeserializeOwned>(
    path: &Path,
    recipe: &Value,
) -> Result<Option<S>, ExperimentError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
    let unsound = |error| {
        let problem = format!("no unit under way ({error}): delete it to start the unit again");
        ExperimentError::file(path, problem)
    };
    let (kept, state): (Value, Value) = serde_json::from_str(&text).map_err(unsound)?;
    let differences = differences(&kept, recipe);
    if !differences.is_empty() {
        let path = path.to_owned();
        return Err(ExperimentError::OtherRecipe { path, differences });
    }
    serde_json::from_value(state).map(Some).map_err(unsound)
}
