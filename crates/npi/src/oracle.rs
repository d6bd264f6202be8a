//! Programs as their authors wrote them, run as a controller.

use crate::controller::Controller;
use crate::program::{Call, Decision, Observation};

/// A statement of an oracle's program. Conditions see the observation of the step at which they are
/// met.
#[derive(Debug, Clone, Copy)]
pub enum Statement {
    /// Calls a program.
    Call(Call),
    /// Calls what the observation says.
    CallOf(fn(Observation) -> Call),
    /// Runs a block as long as a condition holds.
    While(fn(Observation) -> bool, Body),
    /// Runs one of two blocks.
    If(fn(Observation) -> bool, Body, Body),
    /// Ends the program.
    Return,
}

/// A block of statements.
pub type Body = &'static [Statement];

/// The program of a call.
pub type Bodies = fn(Call) -> Body;

/// A controller that follows programs to the letter.
#[derive(Debug, Clone, Copy)]
pub struct Oracle {
    bodies: Bodies,
}

impl Oracle {
    /// One that follows `bodies`.
    pub fn new(bodies: Bodies) -> Self {
        Self { bodies }
    }
}

/// The open blocks of a call, each with its next statement.
#[derive(Debug, Clone)]
pub struct OraclePosition {
    blocks: Vec<(Body, usize)>,
}

impl Controller for Oracle {
    type Position = OraclePosition;

    fn enter(&mut self, call: Call) -> OraclePosition {
        OraclePosition {
            blocks: vec![((self.bodies)(call), 0)],
        }
    }

    fn step(&mut self, position: &mut OraclePosition, observation: Observation) -> Decision {
        let blocks = &mut position.blocks;
        while let Some((body, next)) = blocks.last_mut() {
            let Some(statement) = body.get(*next) else {
                blocks.pop();
                continue;
            };
            match *statement {
                Statement::Call(call) => {
                    *next += 1;
                    return Decision::Call(call);
                }
                Statement::CallOf(call) => {
                    *next += 1;
                    return Decision::Call(call(observation));
                }
                // The loop stays the next statement, and is met again when its block has ended.
                Statement::While(holds, block) => match holds(observation) {
                    true => blocks.push((block, 0)),
                    false => *next += 1,
                },
                Statement::If(holds, then, otherwise) => {
                    *next += 1;
                    blocks.push((if holds(observation) { then } else { otherwise }, 0));
                }
                Statement::Return => blocks.clear(),
            }
        }
        Decision::Return
    }
}
