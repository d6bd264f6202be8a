//! What can go wrong in a search.

use burgeon_hardware::HardwareError;

/// What can go wrong in a search.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoexploreError {
    /// A parameter is outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A list of choices that is no child of the space.
    #[error("{child:?} is no child of the space: {problem}")]
    Child {
        /// The choices.
        child: Vec<usize>,
        /// What is wrong.
        problem: &'static str,
    },
    /// A name that stands for no reward.
    #[error("unknown reward `{name}`: use one of {known}")]
    UnknownReward {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A table is not what it should be.
    #[error("the table's line {line}: {problem}")]
    Table {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A child could not be judged.
    #[error("child {child:?} could not be judged: {problem}")]
    Judge {
        /// The child.
        child: Vec<usize>,
        /// What the judge said.
        problem: String,
    },
    /// The hardware model refused its input.
    #[error(transparent)]
    Hardware(#[from] HardwareError),
}

impl CoexploreError {
    pub(crate) fn parameter<T>(
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<T, Self> {
        Err(Self::Parameter {
            name,
            value: value.to_string(),
            expected,
        })
    }
}
