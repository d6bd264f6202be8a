//! The studies.

mod codesign;
mod coexploration;
mod continual;
mod family;
mod fast_vs_exact;
mod firefly_toy;
pub(crate) mod growth;
pub(crate) mod images;
mod npi;
mod npi_growth;
mod rbf;
mod s3d_toy;
mod spectrum_cost;
mod toy;

use std::cmp::Reverse;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::comparison;
use crate::error::ExperimentError;
use crate::study::Study;

/// All studies, in the order in which they are run.
///
/// # Errors
/// [`ExperimentError::Settings`] for a file of a comparison that is none.
pub fn all() -> Result<Vec<Box<dyn Study>>, ExperimentError> {
    let mut studies: Vec<Box<dyn Study>> = vec![
        Box::new(toy::Toy),
        Box::new(s3d_toy::SignedToy),
        Box::new(firefly_toy::FireflyToy),
        Box::new(fast_vs_exact::FastVsExact),
        Box::new(spectrum_cost::SpectrumCost),
        Box::new(family::SizesOfOneRun),
        Box::new(continual::Continual),
        Box::new(coexploration::CoExploration),
        Box::new(codesign::GrowthExploration),
        Box::new(codesign::FilledTiles::COMPARED),
        Box::new(codesign::FilledTiles::RATES),
        Box::new(npi::Interpreters),
        Box::new(npi_growth::GrownInterpreters),
    ];
    studies.extend(comparison::all()?);
    Ok(studies)
}

/// The study of that name, or the comparison in a file of one's own, which ends in `.toml`.
///
/// # Errors
/// [`ExperimentError::UnknownExperiment`], naming those there are, and those of the file.
pub fn named(name: &str) -> Result<Box<dyn Study>, ExperimentError> {
    if name.ends_with(".toml") {
        return comparison::at(Path::new(name));
    }
    let mut studies = all()?;
    match studies.iter().position(|study| study.name() == name) {
        Some(index) => Ok(studies.swap_remove(index)),
        None => Err(ExperimentError::UnknownExperiment {
            name: name.to_owned(),
            known: studies
                .iter()
                .map(|s| s.name())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// `1 seed`, `5 seeds`.
pub(crate) fn seed_count(seeds: usize) -> String {
    match seeds {
        1 => "1 seed".into(),
        seeds => format!("{seeds} seeds"),
    }
}

/// The results of one method's units, in order.
pub(crate) fn results_of<T: DeserializeOwned>(
    results: &[(String, Value)],
    method: &str,
) -> Result<Vec<T>, ExperimentError> {
    results
        .iter()
        .filter(|(unit, _)| method_and_seed(unit).is_ok_and(|(found, _)| found == method))
        .map(|(unit, value)| decode(unit, value))
        .collect()
}

/// Reads a unit's result.
pub(crate) fn decode<T: DeserializeOwned>(unit: &str, value: &Value) -> Result<T, ExperimentError> {
    T::deserialize(value).map_err(|error| {
        ExperimentError::Settings(format!(
            "the result of `{unit}` is of another kind: {error}"
        ))
    })
}

/// Most different widths that a cell of a table shows.
const MOST_WIDTHS: usize = 5;

/// The widths at which runs ended, the most frequent first.
pub(crate) fn widths_text<'a>(runs: impl Iterator<Item = &'a [usize]>) -> String {
    let mut found: Vec<(String, usize)> = Vec::new();
    for run in runs {
        let widths: Vec<String> = run.iter().map(usize::to_string).collect();
        let widths = widths.join("-");
        match found.iter_mut().find(|(known, _)| *known == widths) {
            Some((_, count)) => *count += 1,
            None => found.push((widths, 1)),
        }
    }
    found.sort_by_key(|(_, count)| Reverse(*count));
    let all: Vec<String> = found.into_iter().map(|(widths, _)| widths).collect();
    match &all[..] {
        [] => "–".into(),
        [first, others @ ..] if all.len() > MOST_WIDTHS => {
            format!("{first} and {} others", others.len())
        }
        all => all.join(", "),
    }
}

pub(crate) fn encode(value: &impl serde::Serialize) -> Result<Value, ExperimentError> {
    serde_json::to_value(value)
        .map_err(|error| ExperimentError::Settings(format!("a result cannot be kept: {error}")))
}

/// Splits a unit's key `method-seed`.
pub(crate) fn method_and_seed(unit: &str) -> Result<(&str, u64), ExperimentError> {
    unit.rsplit_once('-')
        .and_then(|(method, seed)| Some((method, seed.parse().ok()?)))
        .ok_or_else(|| ExperimentError::Settings(format!("`{unit}` is no unit of this study")))
}
