//! Who decides: an oracle or a network.

use crate::program::{Call, Decision, Observation};

/// Decides step by step what a running call does.
///
/// A controller starts every call anew: what it decides depends on the call and on the observations
/// made since it began, and on nothing else. All that a finished caller left behind is in the
/// environment.
pub trait Controller {
    /// Where a running call is.
    type Position: Clone;

    /// The position at the begin of a call.
    fn enter(&mut self, call: Call) -> Self::Position;

    /// The next decision at `position`, which moves on.
    fn step(&mut self, position: &mut Self::Position, observation: Observation) -> Decision;
}
