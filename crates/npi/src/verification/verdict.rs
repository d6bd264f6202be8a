//! A controller compared with another one on a set of call sequences.

use crate::calls::{CallSequence, CallSet};
use crate::controller::Controller;
use crate::program::{Decision, InstructionSet};

/// A call in which a controller does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterExample {
    /// The call as it should run.
    pub sequence: CallSequence,
    /// The step of the first wrong decision, from 0.
    pub step: usize,
    /// What is right there.
    pub expected: Decision,
    /// What was decided.
    pub found: Decision,
}

impl CounterExample {
    /// As a person reads it: what the call saw and did up to the wrong decision.
    pub fn text(&self, instructions: &InstructionSet) -> String {
        let seen = &self.sequence.observations[..=self.step];
        let steps: Vec<String> = seen
            .iter()
            .enumerate()
            .map(|(step, observation)| {
                let mark = if step == self.step {
                    "wrong at"
                } else {
                    "      at"
                };
                format!("  {mark} {}", instructions.observation_text(*observation))
            })
            .collect();
        format!(
            "{}\n{}\n  does {}, and should {}",
            instructions.call_text(self.sequence.call),
            steps.join("\n"),
            instructions.decision_text(self.found),
            instructions.decision_text(self.expected),
        )
    }
}

/// The outcome of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Call sequences compared.
    pub sequences: usize,
    /// Their distinct prefixes: the decisions compared.
    pub prefixes: usize,
    /// Every sequence with a wrong decision, in order.
    pub wrong: Vec<CounterExample>,
}

impl Verdict {
    /// Whether no decision is wrong. On a closed set that is a proof.
    pub fn is_proved(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Compares `controller` with `expected` on every prefix of `calls`.
pub fn verify<E: Controller, C: Controller>(
    calls: &CallSet,
    expected: &mut E,
    controller: &mut C,
) -> Verdict {
    let wrong = calls.iter().filter_map(|sequence| {
        let right = sequence.decisions(expected).into_iter();
        let found = sequence.decisions(controller);
        let mut pairs = right.zip(found).enumerate();
        let (step, (expected, found)) = pairs.find(|(_, (right, found))| right != found)?;
        Some(CounterExample {
            sequence: sequence.clone(),
            step,
            expected,
            found,
        })
    });
    Verdict {
        wrong: wrong.collect(),
        sequences: calls.len(),
        prefixes: calls.prefixes(),
    }
}
