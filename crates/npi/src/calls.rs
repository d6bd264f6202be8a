//! Call sequences: what a controller is trained on, and what is proved.

use std::collections::{BTreeMap, BTreeSet};

use crate::controller::Controller;
use crate::interpreter::{Observer, Step};
use crate::prefixes::Prefixes;
use crate::program::{Call, Decision, Observation, Program};

/// One whole call: the program with its arguments, and all that it saw, step by step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSequence {
    /// The call.
    pub call: Call,
    /// What it saw; the last observation is that at which it returned.
    pub observations: Vec<Observation>,
}

impl CallSequence {
    /// What `controller` decides at each step of this sequence.
    pub fn decisions<C: Controller>(&self, controller: &mut C) -> Vec<Decision> {
        let mut position = controller.enter(self.call);
        let seen = self.observations.iter();
        seen.map(|&observation| controller.step(&mut position, observation))
            .collect()
    }
}

/// A set of distinct call sequences; as an [`Observer`] it collects those of a run.
#[derive(Debug, Clone, Default)]
pub struct CallSet {
    sequences: BTreeSet<CallSequence>,
    /// Calls that have not returned yet.
    open: Vec<CallSequence>,
}

impl CallSet {
    /// All sequences, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &CallSequence> {
        self.sequences.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Adds a sequence, and tells whether it is new.
    pub fn insert(&mut self, sequence: CallSequence) -> bool {
        self.sequences.insert(sequence)
    }

    /// Whether every sequence of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.sequences.is_subset(&other.sequences)
    }

    /// Sequences that are not in `other`.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a CallSequence> {
        self.sequences.difference(&other.sequences)
    }

    /// How many sequences each program has.
    pub fn by_program(&self) -> BTreeMap<Program, usize> {
        let mut counts = BTreeMap::new();
        for sequence in &self.sequences {
            *counts.entry(sequence.call.program).or_default() += 1;
        }
        counts
    }

    /// Steps of the longest sequence.
    pub fn longest(&self) -> usize {
        let lengths = self.sequences.iter().map(|s| s.observations.len());
        lengths.max().unwrap_or(0)
    }

    /// How many distinct prefixes the sequences have.
    pub fn prefixes(&self) -> usize {
        let mut prefixes = Prefixes::default();
        for sequence in &self.sequences {
            let mut node = prefixes.root(sequence.call);
            for &observation in &sequence.observations {
                node = prefixes.child(node, observation);
                prefixes.set(node, ());
            }
        }
        prefixes.len()
    }

    /// Forgets calls that a stopped run left open.
    pub fn abandon(&mut self) {
        self.open.clear();
    }
}

impl Extend<CallSequence> for CallSet {
    fn extend<I: IntoIterator<Item = CallSequence>>(&mut self, sequences: I) {
        self.sequences.extend(sequences);
    }
}

impl FromIterator<CallSequence> for CallSet {
    fn from_iter<I: IntoIterator<Item = CallSequence>>(sequences: I) -> Self {
        let mut set = Self::default();
        set.extend(sequences);
        set
    }
}

impl Observer for CallSet {
    fn step(&mut self, step: Step) {
        if step.depth == self.open.len() {
            self.open.push(CallSequence {
                call: step.call,
                observations: Vec::new(),
            });
        }
        if let Some(running) = self.open.last_mut() {
            running.observations.push(step.observation);
        }
        if step.decision == Decision::Return
            && let Some(ended) = self.open.pop()
        {
            self.sequences.insert(ended);
        }
    }
}
