//! The errors of the command line.

use std::path::PathBuf;

use burgeon::backend::BackendError;
use burgeon::core::CoreError;
use burgeon_hardware::HardwareError;
use burgeon_npi::NpiError;
use burgeon_predictor::PredictorError;
use burgeon_report::ReportError;
use burgeon_terminal::OutputError;

/// What ends a command with an error.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// There is no such device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The splitting mathematics refused its input.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// An accelerator cannot be.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An option is out of range.
    #[error("{0}")]
    Settings(String),
    /// A device computes wrong.
    #[error("{0}: outside the bounds of the conformance suite")]
    Conformance(String),
    /// A network cannot be grown on a person's data, or not predict.
    #[error(transparent)]
    Predictor(#[from] PredictorError),
    /// A program could not be run, learned or proved.
    #[error(transparent)]
    Npi(#[from] NpiError),
    /// A network is not what it should be.
    #[error("{0}")]
    NotProved(String),
    /// Results cannot be shown.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The result could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl CliError {
    /// A file that the system refused, or whose content is not what was expected.
    pub fn file<E: ToString>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |problem| Self::File {
            path,
            problem: problem.to_string(),
        }
    }

    /// The failure to print, if it is one.
    pub fn output(&self) -> Option<&OutputError> {
        match self {
            Self::Output(error) => Some(error),
            _ => None,
        }
    }
}
