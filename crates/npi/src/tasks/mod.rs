//! The four tasks of the paper, one file each: environment, oracle, encoder.

pub(crate) mod addition;
pub(crate) mod bubble;
mod digits;
mod graph;
pub(crate) mod quicksort;
pub(crate) mod topological;

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

pub use addition::{Addition, AdditionProblem, END};
pub use bubble::{BubbleProblem, BubbleSort, Encoder};
pub use graph::Graph;
pub use quicksort::{QuickSort, QuickSortProblem};
pub use topological::{TopologicalProblem, TopologicalSort};

use crate::calls::CallSet;
use crate::environment::Environment;
use crate::error::NpiError;
use crate::oracle::{Bodies, Oracle};
use crate::program::InstructionSet;

/// A problem, ready to be run.
pub type Problem = Box<dyn Environment>;

/// How far loops are replaced by programs that call themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recursion {
    /// Loops stay loops.
    None,
    /// Only the outermost loop is recursive (bubble sort has this form).
    Partial,
    /// Every loop is: every call is of bounded length.
    Full,
}

impl Recursion {
    /// The programs of a task that has no partly recursive form.
    fn of_two(self, looping: Bodies, recursive: Bodies) -> Option<Bodies> {
        match self {
            Self::None => Some(looping),
            Self::Partial => None,
            Self::Full => Some(recursive),
        }
    }
}

/// A task: its alphabet, its oracles and its problems.
pub trait Task: Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What a problem looks like on the command line.
    fn usage(&self) -> &'static str;

    /// Programs, arguments and features.
    fn instructions(&self) -> &'static InstructionSet;

    /// The oracle's programs, if it has this form.
    fn bodies(&self, recursion: Recursion) -> Option<Bodies>;

    /// The problem in words of the command line.
    ///
    /// # Errors
    /// What is wrong with it, by kind.
    fn parse(&self, words: &[String]) -> Result<Problem, NpiError>;

    /// A random problem of so many digits, elements or vertices (at least 1).
    fn random(&self, size: usize, rng: &mut ChaCha8Rng) -> Problem;

    /// All problems of one size, as far as the oracle can tell them apart.
    fn exhaustive(&self, size: usize) -> Box<dyn Iterator<Item = Problem>>;

    /// All call sequences of the fully recursive oracle, by abstract interpretation: a superset of
    /// what any problem of a size from `least` on can lead to. Only bubble sort has calls that
    /// nothing but the smallest problem leads to.
    ///
    /// # Errors
    /// [`NpiError::Unbounded`] where no finite abstraction is known.
    fn closed_set(&self, least: usize) -> Result<CallSet, NpiError>;
}

impl dyn Task + '_ {
    /// The oracle of this form.
    ///
    /// # Errors
    /// [`NpiError::Problem`] if the task has no such form.
    pub fn oracle(&self, recursion: Recursion) -> Result<Oracle, NpiError> {
        match self.bodies(recursion) {
            Some(bodies) => Ok(Oracle::new(bodies)),
            None => Err(NpiError::Problem(format!(
                "{} has no form with {recursion:?} recursion",
                self.name()
            ))),
        }
    }
}

/// All tasks.
pub fn all() -> [&'static dyn Task; 5] {
    [
        &Addition,
        &BubbleSort {
            encoder: Encoder::Verified,
        },
        &BubbleSort {
            encoder: Encoder::Raw,
        },
        &TopologicalSort,
        &QuickSort,
    ]
}

/// The task of that name.
///
/// # Errors
/// [`NpiError::UnknownTask`], naming those there are.
pub fn named(name: &str) -> Result<&'static dyn Task, NpiError> {
    let found = all().into_iter().find(|task| task.name() == name);
    found.ok_or_else(|| NpiError::UnknownTask {
        name: name.to_owned(),
        known: all().map(|task| task.name()).join(", "),
    })
}
