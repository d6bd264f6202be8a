//! Call sequences that problems really lead to.

use crate::calls::CallSet;
use crate::error::NpiError;
use crate::interpreter::run;
use crate::tasks::{Problem, Recursion, Task};

/// The call sequences of the oracle on `problems`.
///
/// # Errors
/// [`NpiError::Problem`] if the task has no such form; those of [`run`].
pub fn reached(
    task: &dyn Task,
    recursion: Recursion,
    problems: impl IntoIterator<Item = Problem>,
) -> Result<CallSet, NpiError> {
    let mut calls = CallSet::default();
    for problem in problems {
        add_reached(&mut calls, task, recursion, problem)?;
    }
    Ok(calls)
}

/// Adds the call sequences of the oracle on one problem.
///
/// # Errors
/// As [`reached`].
pub fn add_reached(
    calls: &mut CallSet,
    task: &dyn Task,
    recursion: Recursion,
    mut problem: Problem,
) -> Result<(), NpiError> {
    let mut oracle = task.oracle(recursion)?;
    let instructions = task.instructions();
    let ended = run(instructions, &mut oracle, problem.as_mut(), u64::MAX, calls);
    calls.abandon();
    ended.map(drop)
}
