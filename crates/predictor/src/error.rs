//! The errors of fitting and predicting.

use std::path::PathBuf;

use burgeon::data::DataError;
use burgeon::prelude::NnError;
use burgeon_exchange::ExchangeError;
use burgeon_run::RunError;

/// What can go wrong between a file of data and a prediction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictorError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network refuses, or its training failed.
    #[error(transparent)]
    Network(#[from] NnError),
    /// A network cannot be taken away, or the file that growing is to start from is not one.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The data are not what the network was made for, or nothing that can be learned.
    #[error("{0}")]
    Schema(String),
    /// Settings that contradict each other or the data.
    #[error("settings: {0}")]
    Settings(String),
    /// A file of the run is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<RunError> for PredictorError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Data(error) => Self::Data(error),
            RunError::File { path, problem } => Self::File { path, problem },
            other => Self::Schema(other.to_string()),
        }
    }
}

pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> PredictorError {
    let path = path.into();
    move |source| PredictorError::Io { path, source }
}

pub(crate) fn file(path: impl Into<PathBuf>, problem: impl ToString) -> PredictorError {
    PredictorError::File {
        path: path.into(),
        problem: problem.to_string(),
    }
}

pub(crate) fn schema(problem: impl ToString) -> PredictorError {
    PredictorError::Schema(problem.to_string())
}
