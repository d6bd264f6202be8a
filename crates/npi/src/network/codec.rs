//! Calls, observations and decisions as rows of numbers.

use std::ops::Range;

use crate::program::{Call, Decision, InstructionSet, Observation, Program};

/// One-hot inputs and outputs of a task.
///
/// An input row is the program, then three arguments, then the features of the observation. An
/// output row is the logit of the end, then scores of programs, then of each argument.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    instructions: &'static InstructionSet,
}

impl Codec {
    /// That of a task's alphabet.
    pub fn new(instructions: &'static InstructionSet) -> Self {
        Self { instructions }
    }

    /// The alphabet.
    pub fn instructions(&self) -> &'static InstructionSet {
        self.instructions
    }

    /// Programs.
    pub fn programs(&self) -> usize {
        self.instructions.programs.len()
    }

    /// Values of each argument.
    pub fn arguments(&self) -> [usize; 3] {
        self.instructions.arguments.map(<[&str]>::len)
    }

    /// Numbers in an input row.
    pub fn inputs(&self) -> usize {
        let features = self.instructions.features.iter();
        self.programs()
            + self.arguments().iter().sum::<usize>()
            + features.map(|feature| feature.values.len()).sum::<usize>()
    }

    /// Ones in an input row: the program, three arguments, and a value of each feature.
    pub fn ones(&self) -> usize {
        4 + self.instructions.features.len()
    }

    /// Numbers in an output row.
    pub fn outputs(&self) -> usize {
        self.heads().last().map_or(1, |head| head.end)
    }

    /// Where the scores of programs and of each argument are in an output row.
    pub fn heads(&self) -> [Range<usize>; 4] {
        let [a, b, c] = self.arguments();
        let mut start = 1;
        [self.programs(), a, b, c].map(|width| {
            let head = start..start + width;
            start = head.end;
            head
        })
    }

    /// Appends an input row.
    pub fn input(&self, call: Call, observation: Observation, rows: &mut Vec<f32>) {
        let mut one_hot = |value: u8, width: usize| {
            let at = rows.len() + usize::from(value);
            rows.resize(rows.len() + width, 0.0);
            if let Some(number) = rows.get_mut(at) {
                *number = 1.0;
            }
        };
        one_hot(call.program.0, self.programs());
        for (value, width) in call.arguments.into_iter().zip(self.arguments()) {
            one_hot(value, width);
        }
        for (feature, value) in self.instructions.features.iter().zip(observation) {
            one_hot(value, feature.values.len());
        }
    }

    /// Appends a target row: ±1 for the end and for going on, and ones at what is called. A row of
    /// zeros has no target.
    pub fn target(&self, decision: Decision, rows: &mut Vec<f32>) {
        let start = rows.len();
        rows.resize(start + self.outputs(), 0.0);
        let Decision::Call(call) = decision else {
            rows[start] = 1.0;
            return;
        };
        rows[start] = -1.0;
        let [first, second, third] = call.arguments;
        for (head, value) in self
            .heads()
            .iter()
            .zip([call.program.0, first, second, third])
        {
            rows[start + head.start + usize::from(value)] = 1.0;
        }
    }

    /// What an output row decides: the end where its probability is at least ½, else the call of
    /// the largest scores.
    pub fn decision(&self, row: &[f32]) -> Decision {
        if row[0] >= 0.0 {
            return Decision::Return;
        }
        let [program, first, second, third] = self.heads().map(|head| largest(&row[head]));
        Decision::Call(Call {
            program: Program(program),
            arguments: [first, second, third],
        })
    }
}

/// The place of the largest score, the first of equals.
fn largest(scores: &[f32]) -> u8 {
    let mut best = 0;
    for (place, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = place;
        }
    }
    best as u8
}
