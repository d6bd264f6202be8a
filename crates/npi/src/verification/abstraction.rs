//! All calls of an oracle by abstract interpretation, to a fixed point.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::calls::{CallSequence, CallSet};
use crate::controller::Controller;
use crate::error::NpiError;
use crate::oracle::{Bodies, Oracle};
use crate::program::{Call, Decision, InstructionSet, Observation};

/// Environments of all problems of all sizes, with finitely many states: each stands for all
/// environments that agree in what it says.
pub trait Abstraction {
    /// What is known of an environment.
    type State: Clone + Ord + Debug;

    /// The states in which problems begin.
    fn starts(&self) -> Vec<Self::State>;

    /// What a controller sees.
    fn observe(&self, state: &Self::State) -> Observation;

    /// All states to which a primitive program can lead; none where it is not known, which ends the
    /// interpretation with an error.
    fn apply(&self, state: &Self::State, call: Call) -> Option<Vec<Self::State>>;

    /// What a composite call can depend on.
    fn enter(&self, _: Call, state: &Self::State) -> Option<Self::State> {
        Some(state.clone())
    }

    /// The caller's state after a call that left `after`.
    fn leave(&self, _: Call, _before: &Self::State, after: &Self::State) -> Option<Self::State> {
        Some(after.clone())
    }
}

/// All call sequences that `bodies` can lead to from any start: for every program and state at its
/// begin the states at its end, until nothing new comes. An over-approximation: what really happens
/// is in it.
///
/// # Errors
/// [`NpiError::NotModelled`] where the abstraction does not know what a program does.
pub fn closed_set<A: Abstraction>(
    abstraction: &A,
    instructions: &InstructionSet,
    bodies: Bodies,
) -> Result<CallSet, NpiError> {
    let mut analysis = Analysis {
        abstraction,
        instructions,
        oracle: Oracle::new(bodies),
        exits: BTreeMap::new(),
        readers: BTreeMap::new(),
        waiting: BTreeSet::new(),
        sequences: CallSet::default(),
    };
    let main = Call::plain(instructions.main);
    for start in abstraction.starts() {
        analysis.exits_of((main, start));
    }
    while let Some(entry) = analysis.waiting.pop_first() {
        let exits = analysis.follow(&entry)?;
        let known = analysis.exits.entry(entry.clone()).or_default();
        let before = known.len();
        known.extend(exits);
        if known.len() > before {
            let readers = analysis.readers.get(&entry).cloned();
            analysis.waiting.extend(readers.unwrap_or_default());
        }
    }
    Ok(analysis.sequences)
}

/// A call and the state in which it begins.
type Entry<S> = (Call, S);

struct Analysis<'a, A: Abstraction> {
    abstraction: &'a A,
    instructions: &'a InstructionSet,
    oracle: Oracle,
    /// The states in which a call can end, as far as known.
    exits: BTreeMap<Entry<A::State>, BTreeSet<A::State>>,
    /// Who depends on them.
    readers: BTreeMap<Entry<A::State>, BTreeSet<Entry<A::State>>>,
    /// Calls to be followed, again or for the first time.
    waiting: BTreeSet<Entry<A::State>>,
    sequences: CallSet,
}

impl<A: Abstraction> Analysis<'_, A> {
    fn exits_of(&mut self, entry: Entry<A::State>) -> BTreeSet<A::State> {
        if let Some(exits) = self.exits.get(&entry) {
            return exits.clone();
        }
        self.waiting.insert(entry.clone());
        self.exits.entry(entry).or_default().clone()
    }

    /// Follows a call along all ways, with the exits of other calls as they are known now.
    fn follow(&mut self, entry: &Entry<A::State>) -> Result<BTreeSet<A::State>, NpiError> {
        let (call, state) = entry;
        let mut exits = BTreeSet::new();
        let mut ways = vec![(self.oracle.enter(*call), Vec::new(), state.clone())];
        let mut met = BTreeSet::new();
        while let Some((mut position, mut observations, state)) = ways.pop() {
            let observation = self.abstraction.observe(&state);
            observations.push(observation);
            // The position follows from what was observed.
            if !met.insert((observations.clone(), state.clone())) {
                continue;
            }
            let states = match self.oracle.step(&mut position, observation) {
                Decision::Return => {
                    self.sequences.insert(CallSequence {
                        call: *call,
                        observations,
                    });
                    exits.insert(state);
                    continue;
                }
                Decision::Call(next) => {
                    let states = match self.instructions.is_primitive(next.program) {
                        true => self.abstraction.apply(&state, next),
                        false => self.after_call(entry, next, &state),
                    };
                    states.ok_or_else(|| {
                        let text = self.instructions.call_text(next);
                        NpiError::NotModelled(format!("{text} in {state:?}"))
                    })?
                }
            };
            let follow = |state| (position.clone(), observations.clone(), state);
            ways.extend(states.into_iter().map(follow));
        }
        Ok(exits)
    }

    /// The states after a composite call from `reader`, which is followed again when more are found.
    fn after_call(
        &mut self,
        reader: &Entry<A::State>,
        call: Call,
        before: &A::State,
    ) -> Option<Vec<A::State>> {
        let entry = (call, self.abstraction.enter(call, before)?);
        let readers = self.readers.entry(entry.clone()).or_default();
        readers.insert(reader.clone());
        let exits = self.exits_of(entry);
        let leave = |after| self.abstraction.leave(call, before, after);
        exits.iter().map(leave).collect()
    }
}
