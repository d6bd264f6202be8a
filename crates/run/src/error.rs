//! The errors of predicting.

use std::path::PathBuf;

use burgeon_data::DataError;
use burgeon_terminal::OutputError;

/// What can go wrong between an exported file and a prediction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data are not what the network was made for.
    #[error("{0}")]
    Schema(String),
    /// The layers and the weights do not fit together.
    #[error("{0}")]
    Network(String),
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The predictions could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

pub(crate) fn schema(problem: impl ToString) -> RunError {
    RunError::Schema(problem.to_string())
}
