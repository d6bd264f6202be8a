//! A person's own data on the command line: `burgeon grow`, `predict`, `evaluate` and `export`.

use std::path::{Path, PathBuf};

use burgeon::data::own::Records;
use burgeon_predictor::PredictorError;
use burgeon_run::command_line::Reading;
use clap::Args;

use crate::error::CliError;

pub mod evaluate;
pub mod export;
pub mod grow;
pub mod predict;
pub mod summary;

/// A run's folder and data for it.
#[derive(Debug, Args)]
pub struct Trained {
    /// The folder that `burgeon grow --out` wrote
    folder: PathBuf,
    /// A CSV file, a NumPy archive, an IDX file of images, or a folder of images
    file: PathBuf,
    /// Take the network with so many parameters, of those that growing passed
    #[arg(long)]
    parameters: Option<u64>,
    #[command(flatten)]
    reading: Reading,
}

/// What a file of data holds.
fn records(reading: &Reading, path: &Path) -> Result<Records, CliError> {
    Ok(reading.records(path).map_err(PredictorError::from)?)
}

/// A time in milliseconds.
fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.4} ms", nanoseconds as f64 / 1e6)
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
