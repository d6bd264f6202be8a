//! Errors.

use burgeon_core::CoreError;
use burgeon_nn::NnError;

/// What can go wrong while tasks are learned one after the other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContinualError {
    /// A criterion or selector refused its input.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A network could not be trained, traced or grown.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A task in which there is nothing to tell apart.
    #[error("task `{task}` has {classes} classes: at least 2 are needed to learn anything")]
    OneClass {
        /// The task's name.
        task: String,
        /// How many classes it has.
        classes: usize,
    },
    /// A part of a task without samples.
    #[error("task `{task}` has no {part} samples: give each part at least one")]
    EmptyTask {
        /// The task's name.
        task: String,
        /// Which part.
        part: &'static str,
    },
    /// A sequence without tasks.
    #[error("there is no task: give at least one")]
    NoTask,
    /// A task that was not learned.
    #[error("task {task} was not learned: {learned} tasks are known, numbered from 0")]
    UnknownTask {
        /// The number asked for.
        task: usize,
        /// How many were learned.
        learned: usize,
    },
    /// Inputs of another shape than the network was made for.
    #[error(
        "{what} has inputs of shape {found:?}, the network reads {expected:?} (channels, height, width)"
    )]
    InputShape {
        /// Whose inputs.
        what: String,
        /// The network's `[channels, height, width]`.
        expected: [usize; 3],
        /// The shape found.
        found: [usize; 3],
    },
    /// Targets that are not one class for each sample.
    #[error("task `{task}`, {part} samples: {problem}")]
    Targets {
        /// The task's name.
        task: String,
        /// Which part.
        part: &'static str,
        /// What is wrong with them.
        problem: String,
    },
    /// An architecture that cannot be built.
    #[error("architecture: {0}")]
    Architecture(String),
    /// A setting out of range.
    #[error("settings: {0}")]
    Settings(String),
    /// A run is gone on with on other tasks than it was begun with.
    #[error(
        "task {task} (`{name}`) is not the one that was learned as number {task}: go on with the same tasks"
    )]
    OtherTask {
        /// Its number, from 0.
        task: usize,
        /// Its name.
        name: String,
    },
    /// Learning was interrupted; what was learned before the task stays.
    #[error("interrupted while a task was learned: the tasks before it stay")]
    Interrupted,
}
