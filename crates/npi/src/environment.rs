//! What programs act on.

use std::fmt::Debug;

use crate::program::{Call, Observation};

/// The state of one problem: what a controller sees of it, and what primitive programs do to it.
pub trait Environment: Debug + Send {
    /// What the controller sees now.
    fn observe(&self) -> Observation;

    /// Does a primitive program.
    ///
    /// # Errors
    /// Why it cannot be done, the environment unchanged.
    fn apply(&mut self, call: Call) -> Result<(), String>;

    /// Whether the problem is solved.
    fn is_solved(&self) -> bool;

    /// A copy of its own.
    fn clone_box(&self) -> Box<dyn Environment>;

    /// The problem as given and the result so far, on one line.
    fn text(&self) -> String;
}

/// A boolean as a feature's value.
pub(crate) const fn flag(holds: bool) -> u8 {
    holds as u8
}
