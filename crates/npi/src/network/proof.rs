//! Networks compared with their oracle.

use super::codec::Codec;
use super::controller::NetworkController;
use super::core::Core;
use crate::calls::CallSet;
use crate::error::NpiError;
use crate::tasks::{Recursion, Task};
use crate::verification::{Verdict, verify};

/// Compares a network with the fully recursive oracle on every prefix of `calls`: on a closed set
/// ([`Task::closed_set`]) a proof, or every call in which it is wrong.
///
/// # Errors
/// [`NpiError::Device`] if the device fails.
pub fn prove(task: &dyn Task, core: &Core, calls: &CallSet) -> Result<Verdict, NpiError> {
    let mut controller = NetworkController::new(core, Codec::new(task.instructions()));
    controller.decide(calls)?;
    let mut oracle = task.oracle(Recursion::Full)?;
    Ok(verify(calls, &mut oracle, &mut controller))
}
