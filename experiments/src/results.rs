//! Results of units, and how tables name them.

use std::cmp::Reverse;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ExperimentError;

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
