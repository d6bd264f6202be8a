//! The errors of the command line.

use std::path::PathBuf;

use burgeon::backend::BackendError;
use burgeon_data::DataError;
use burgeon_experiments::ExperimentError;
use burgeon_report::ReportError;
use burgeon_terminal::OutputError;

/// What ends a command with an error.
#[derive(Debug, thiserror::Error)]
pub enum XtaskError {
    /// An experiment failed.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A data set failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The signal handler could not be set.
    #[error("Ctrl-C cannot be handled: {0}")]
    Signal(String),
    /// Reference values were missed.
    #[error("{failed} of {total} comparisons are out of bounds")]
    Golden {
        /// Comparisons out of bounds.
        failed: usize,
        /// Comparisons altogether.
        total: usize,
    },
    /// A data set's verification failed.
    #[error("{0} data sets are damaged: fetch them again")]
    Damaged(usize),
    /// The page of the results cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The result could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl XtaskError {
    /// The failure to print, if it is one.
    pub fn output(&self) -> Option<&OutputError> {
        match self {
            Self::Output(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BackendError> for XtaskError {
    fn from(error: BackendError) -> Self {
        Self::Experiment(error.into())
    }
}

/// An I/O error at a path.
pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> XtaskError {
    let path = path.into();
    move |source| XtaskError::Experiment(ExperimentError::Io { path, source })
}

/// A figure that could not be drawn.
pub fn figure(path: impl Into<PathBuf>) -> impl FnOnce(String) -> XtaskError {
    let path = path.into();
    move |problem| XtaskError::Experiment(ExperimentError::Figure { path, problem })
}
