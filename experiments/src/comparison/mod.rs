//! Comparisons: studies of one shape, each a file.
//!
//! A file says on what data which networks come to their size by which methods, at which training
//! cost; runner, table and figures are the same for all. Every run of a file costs the same, growing
//! included.

pub(crate) mod data;
mod file;
mod growing;
mod net;
mod overlay;
mod prune;
mod rates;
mod recipe;
mod report;
mod run;
mod study;
#[cfg(test)]
mod tests;
mod unit;

use std::path::Path;

use self::file::File;
use self::rates::Rates;
use self::study::Comparison;
use crate::error::ExperimentError;
use crate::study::Study;

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
