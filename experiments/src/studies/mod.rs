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

use std::path::Path;

use crate::comparison;
use crate::error::ExperimentError;
use crate::results::{decode, encode, method_and_seed, results_of, seed_count};
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
        Box::new(codesign::ChainExploration),
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
