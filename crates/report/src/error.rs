//! Errors.

use std::path::{Path, PathBuf};

/// Why a results folder cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The folder holds no finished study.
    #[error(
        "{0} holds no results to show: give the folder that `cargo xtask reproduce --out` wrote"
    )]
    Nothing(PathBuf),
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ReportError + '_ {
    |source| ReportError::Io {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn file(path: &Path, problem: impl ToString) -> ReportError {
    ReportError::File {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}
