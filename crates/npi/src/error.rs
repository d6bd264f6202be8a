//! What can go wrong.

/// The reason why a problem, a run or a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpiError {
    /// A value of a problem is not a digit.
    #[error("`{value}` is not a digit: give whole numbers from 0 to 9")]
    ValueOutOfRange {
        /// What was given.
        value: String,
    },
    /// A problem is not of the task's form.
    #[error("{0}")]
    Problem(String),
    /// Two numbers to add differ in length.
    #[error(
        "the numbers have {first} and {second} digits: addition is defined for numbers of equal \
         length"
    )]
    UnequalLengths {
        /// Digits of the first.
        first: usize,
        /// Digits of the second.
        second: usize,
    },
    /// A graph has a cycle, so that no order exists.
    #[error("the graph has the cycle {cycle}: only graphs without one have a topological order")]
    CyclicGraph {
        /// Its vertices, the first one again at the end.
        cycle: String,
    },
    /// There is no such task.
    #[error("unknown task `{name}`: it is one of {known}")]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// All there are.
        known: String,
    },
    /// The controller called something that the environment cannot do.
    #[error("{call} after {steps} steps: {reason}")]
    Refused {
        /// The call, as in a trace.
        call: String,
        /// Decisions before it.
        steps: u64,
        /// Why not.
        reason: String,
    },
    /// The controller did not end within the bound.
    #[error("not ended after {steps} steps, with {depth} calls open: stopped by the bound")]
    TooManySteps {
        /// The bound.
        steps: u64,
        /// Calls that had not returned.
        depth: usize,
    },
    /// The task's oracle has no finite set of call sequences in this form.
    #[error("{0}")]
    Unbounded(String),
    /// A weights file is not what it should be.
    #[error("{0}")]
    Weights(String),
    /// The device failed.
    #[error("{0}")]
    Device(String),
    /// The abstract environment does not cover what the oracle does.
    #[error("the abstraction does not model {0}")]
    NotModelled(String),
}
