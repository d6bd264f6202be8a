//! A network that runs programs.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::codec::Codec;
use super::core::{Core, CoreState};
use super::traces::numbers;
use crate::calls::{CallSequence, CallSet};
use crate::controller::Controller;
use crate::error::NpiError;
use crate::prefixes::{Node, Prefixes};
use crate::program::{Call, Decision, Observation};

/// Calls that are decided together.
const BATCH: usize = 2048;

/// Decides by a [`Core`], and remembers the decision after every prefix of a call: since the hidden
/// state starts at 0 with each call, it cannot be another one the next time.
#[derive(Debug, Clone)]
pub struct NetworkController {
    core: Core,
    codec: Codec,
    known: Prefixes<Decision>,
}

impl NetworkController {
    /// A controller with the weights of `core`.
    pub fn new(core: &Core, codec: Codec) -> Self {
        let on_tape = core.devices().iter().any(|device| device.is_autodiff());
        Self {
            core: if on_tape { core.valid() } else { core.clone() },
            codec,
            known: Prefixes::default(),
        }
    }

    /// Prefixes decided so far.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// Decides every prefix of `calls`, many at a time.
    ///
    /// # Errors
    /// [`NpiError::Device`] if the device fails.
    pub fn decide(&mut self, calls: &CallSet) -> Result<(), NpiError> {
        let mut sequences: Vec<&CallSequence> = calls.iter().collect();
        sequences.sort_by_key(|sequence| std::cmp::Reverse(sequence.observations.len()));
        for batch in sequences.chunks(BATCH) {
            self.decide_batch(batch)?;
        }
        Ok(())
    }

    /// Decides sequences in descending order of length.
    fn decide_batch(&mut self, batch: &[&CallSequence]) -> Result<(), NpiError> {
        let (mut rows, mut sizes, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        let mut at: Vec<Node> = batch.iter().map(|s| self.known.root(s.call)).collect();
        let steps = batch
            .first()
            .map_or(0, |longest| longest.observations.len());
        for step in 0..steps {
            let reach = |sequence: &&&CallSequence| sequence.observations.len() > step;
            let size = batch.iter().take_while(reach).count();
            for (sequence, node) in batch[..size].iter().zip(&mut at) {
                let observation = sequence.observations[step];
                *node = self.known.child(*node, observation);
                nodes.push(*node);
                self.codec.input(sequence.call, observation, &mut rows);
            }
            sizes.push(size);
        }
        let outputs = numbers(&self.core.packed(self.rows(rows), &sizes))?;
        for (node, row) in nodes.into_iter().zip(outputs.chunks(self.codec.outputs())) {
            self.known.set(node, self.codec.decision(row));
        }
        Ok(())
    }

    fn rows(&self, numbers: Vec<f32>) -> Tensor<2> {
        let width = self.codec.inputs();
        let count = numbers.len() / width;
        let device = self.core.end.weight.device();
        Tensor::from_data(TensorData::new(numbers, [count, width]), &device)
    }

    fn advance(
        &self,
        call: Call,
        observation: Observation,
        state: Option<CoreState>,
    ) -> (CoreState, Tensor<2>) {
        let mut row = Vec::new();
        self.codec.input(call, observation, &mut row);
        let encoded = self.core.encode(self.rows(row));
        let state = state.unwrap_or_else(|| self.core.begin(1, &encoded));
        self.core.step(encoded, state)
    }

    /// The state and what the heads read after the prefix at `node`, from the state before its last
    /// observation where that is at hand.
    fn after(&self, node: Node, before: Option<CoreState>) -> Option<(CoreState, Tensor<2>)> {
        if let (Some(state), (call, Some(last))) = (before, self.known.last(node)) {
            return Some(self.advance(call, last, Some(state)));
        }
        let (call, observations) = self.known.path(node);
        let mut reached = None;
        for observation in observations {
            let state = reached.map(|(state, _)| state);
            reached = Some(self.advance(call, observation, state));
        }
        reached
    }
}

/// Where a call is in the trie of prefixes.
#[derive(Debug, Clone)]
pub struct NetworkPosition {
    node: Node,
    /// The state there, unless the last decision was a remembered one.
    state: Option<CoreState>,
}

impl Controller for NetworkController {
    type Position = NetworkPosition;

    fn enter(&mut self, call: Call) -> NetworkPosition {
        NetworkPosition {
            node: self.known.root(call),
            state: None,
        }
    }

    fn step(&mut self, position: &mut NetworkPosition, observation: Observation) -> Decision {
        position.node = self.known.child(position.node, observation);
        if let Some(&decision) = self.known.value(position.node) {
            position.state = None;
            return decision;
        }
        let reached = self.after(position.node, position.state.take());
        let Some((state, hidden)) = reached else {
            return Decision::Return;
        };
        let row = self
            .core
            .heads(hidden)
            .into_data()
            .iter::<f32>()
            .collect::<Vec<_>>();
        let decision = self.codec.decision(&row);
        self.known.set(position.node, decision);
        position.state = Some(state);
        decision
    }
}
