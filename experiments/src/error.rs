//! The errors of experiments.

use std::path::PathBuf;

use burgeon::backend::BackendError;
use burgeon_coexplore::CoexploreError;
use burgeon_continual::ContinualError;
use burgeon_core::CoreError;
use burgeon_data::DataError;
use burgeon_hardware::HardwareError;
use burgeon_nn::NnError;
use burgeon_npi::NpiError;
use burgeon_ops::UnknownActivation;

/// What can go wrong in an experiment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The splitting mathematics refused its input.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A co-exploration could not be made.
    #[error(transparent)]
    Coexplore(#[from] CoexploreError),
    /// An accelerator cannot be, or cannot run a network.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    /// A name that stands for no activation.
    #[error(transparent)]
    Activation(#[from] UnknownActivation),
    /// A network could not be grown.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A sequence of tasks could not be learned.
    #[error(transparent)]
    Continual(ContinualError),
    /// A program could not be run or learned.
    #[error(transparent)]
    Npi(#[from] NpiError),
    /// A data set could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A name that stands for no experiment.
    #[error("unknown experiment `{name}`: use one of {known}")]
    UnknownExperiment {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// There is no such device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A file is not what it should be.
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
    /// A figure could not be drawn.
    #[error("figure {path}: {problem}")]
    Figure {
        /// The file.
        path: PathBuf,
        /// What the drawing library said.
        problem: String,
    },
    /// The results folder holds a run that has not ended.
    #[error(
        "{0} holds a run that has not ended: add --resume to go on with it, --fresh to set it \
         aside, or --out for another folder"
    )]
    Unfinished(PathBuf),
    /// The results folder holds a run with other settings.
    #[error(
        "{path} holds a run with other settings ({}): resume it with the same ones, or add --fresh to \
         set it aside",
        differences.join("; ")
    )]
    OtherRun {
        /// The run's manifest.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// A result came of another recipe.
    #[error(
        "{path} comes of another recipe than this program's ({}): go on with the program that began \
         it, or add --fresh to set the run aside",
        differences.join("; ")
    )]
    OtherRecipe {
        /// The manifest, or the file of one unit.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// Another process writes to the results folder.
    #[error("another run writes to {0}: wait for its end, or name another folder with --out")]
    Busy(PathBuf),
    /// Another process runs the unit.
    #[error("another process runs `{0}`: its result will be kept when that ends")]
    BusyUnit(String),
    /// A setting is out of range.
    #[error("{0}")]
    Settings(String),
    /// The run was interrupted.
    #[error("interrupted: what was finished is kept; add --resume to go on")]
    Interrupted,
}

impl From<ContinualError> for ExperimentError {
    fn from(error: ContinualError) -> Self {
        match error {
            ContinualError::Interrupted => Self::Interrupted,
            other => Self::Continual(other),
        }
    }
}

impl ExperimentError {
    /// Turns an I/O error at `path` into one of an experiment.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// A file whose content is not what was expected.
    pub fn file(path: impl Into<PathBuf>, problem: impl ToString) -> Self {
        Self::File {
            path: path.into(),
            problem: problem.to_string(),
        }
    }
}
