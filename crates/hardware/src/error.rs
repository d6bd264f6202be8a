//! What can be wrong with hardware.

use std::fmt;

/// What can go wrong when accelerators are designed and priced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HardwareError {
    /// A number is outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Parameter {
        /// What it is.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A layer that an engine cannot run.
    #[error("layer `{layer}`: {problem}")]
    Layer {
        /// Its name.
        layer: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A name that stands for no board.
    #[error("unknown board `{name}`: use one of {known}, or describe your own")]
    UnknownBoard {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A design needs more than its board has.
    #[error("{board} is too small: {shortage}")]
    TooSmall {
        /// The board.
        board: String,
        /// What it lacks.
        shortage: Shortage,
    },
    /// No design of a space runs the layers on a board.
    #[error(
        "no design of the space fits {board} and runs all {layers} layers: add smaller tiles, \
         fewer ports or larger kernels to the space, or take a larger board"
    )]
    NoDesign {
        /// The board.
        board: String,
        /// How many layers there are.
        layers: usize,
    },
    /// Layers cannot be divided among the boards of a pool.
    #[error(
        "no division of {layers} layers among {boards} boards is feasible: add boards, or designs \
         that fit them"
    )]
    NoPartition {
        /// How many layers there are.
        layers: usize,
        /// How many boards there are.
        boards: usize,
    },
}

impl HardwareError {
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

    pub(crate) fn layer<T>(layer: &str, problem: impl Into<String>) -> Result<T, Self> {
        Err(Self::Layer {
            layer: layer.to_owned(),
            problem: problem.into(),
        })
    }
}

/// What a board has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What it is.
    pub what: &'static str,
    /// How much is needed.
    pub needed: u64,
    /// How much there is.
    pub there: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            needed,
            there,
        } = self;
        write!(f, "the design takes {needed} {what}, there are {there}")
    }
}

/// Checks that a size is not 0.
pub(crate) fn not_zero(name: &'static str, sizes: &[usize]) -> Result<(), HardwareError> {
    match sizes.contains(&0) {
        true => HardwareError::parameter(name, 0, "at least 1"),
        false => Ok(()),
    }
}
