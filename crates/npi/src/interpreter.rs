//! Running a program: the same code for an oracle's traces, for a network and for proofs.

use crate::controller::Controller;
use crate::environment::Environment;
use crate::error::NpiError;
use crate::program::{Call, Decision, InstructionSet, Observation};

/// One decision of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Calls that were open besides this one.
    pub depth: usize,
    /// The running call.
    pub call: Call,
    /// What it saw.
    pub observation: Observation,
    /// What it did.
    pub decision: Decision,
}

/// Told of every decision.
pub trait Observer {
    /// A decision was made, and is not carried out yet.
    fn step(&mut self, step: Step);
}

impl Observer for () {
    fn step(&mut self, _: Step) {}
}

/// The whole trace.
impl Observer for Vec<Step> {
    fn step(&mut self, step: Step) {
        self.push(step);
    }
}

/// Runs the main program of `instructions` on `environment` until it returns, and gives the number
/// of decisions. Open calls are on a stack of its own, so that depth is bounded by memory alone.
///
/// # Errors
/// [`NpiError::Refused`] for a call that the environment cannot do, [`NpiError::TooManySteps`] after
/// `bound` decisions.
pub fn run<C: Controller>(
    instructions: &InstructionSet,
    controller: &mut C,
    environment: &mut dyn Environment,
    bound: u64,
    observer: &mut dyn Observer,
) -> Result<u64, NpiError> {
    let main = Call::plain(instructions.main);
    let mut stack = vec![(main, controller.enter(main))];
    let mut steps = 0;
    while let Some((call, position)) = stack.last_mut() {
        let call = *call;
        if steps == bound {
            return Err(NpiError::TooManySteps {
                steps,
                depth: stack.len(),
            });
        }
        let observation = environment.observe();
        let decision = controller.step(position, observation);
        observer.step(Step {
            depth: stack.len() - 1,
            call,
            observation,
            decision,
        });
        match decision {
            Decision::Return => {
                stack.pop();
            }
            Decision::Call(next) if instructions.is_primitive(next.program) => {
                environment
                    .apply(next)
                    .map_err(|reason| NpiError::Refused {
                        call: instructions.call_text(next),
                        steps,
                        reason,
                    })?;
            }
            Decision::Call(next) => stack.push((next, controller.enter(next))),
        }
        steps += 1;
    }
    Ok(steps)
}
