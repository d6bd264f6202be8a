//! A network's forward passes over samples, from which line searches start.

use burgeon_core::Plan;
use burn::module::ParamId;

use crate::error::NnError;
use crate::growable::{Growable, inference};
use crate::grower::LineSearch;
use crate::objective::Objective;
use crate::recording::{Outputs, Passage};
use crate::samples::Samples;
use crate::topology::Topology;

/// A network in inference mode, samples, and what its growable layers answer to them, as far
/// as that was kept.
pub struct ForwardPasses<M: Growable> {
    pub(crate) model: M,
    pub(crate) topology: Topology,
    pub(crate) samples: Samples<M::Input>,
    pub(crate) batch_size: usize,
    /// Of each batch, or of none.
    kept: Vec<Vec<Answer>>,
}

/// What a layer answered in one forward pass before its activation, off the graph.
#[derive(Clone)]
pub(crate) struct Answer {
    /// The id of the layer's weight.
    pub weight: ParamId,
    pub pre_activation: Outputs,
}

impl<M: Growable> ForwardPasses<M> {
    /// The passes of `model` over `samples`, of which nothing is kept yet.
    ///
    /// # Errors
    /// That of [`Growable::topology`].
    pub fn new(model: &M, samples: &Samples<M::Input>, batch_size: usize) -> Result<Self, NnError> {
        Ok(Self {
            model: inference(model),
            topology: model.topology()?,
            samples: samples.clone(),
            batch_size,
            kept: Vec::new(),
        })
    }

    pub(crate) fn with_answers(mut self, kept: Vec<Vec<Answer>>) -> Self {
        self.kept = kept;
        self
    }

    /// What was kept of a batch.
    pub(crate) fn answers(&self, batch: usize) -> &[Answer] {
        self.kept.get(batch).map_or(&[], Vec::as_slice)
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.kept.iter().flatten().map(Answer::bytes).sum()
    }

    /// Tries each step of `grid` under `plan`: the losses are means over the samples.
    ///
    /// # Errors
    /// As [`line_search`](crate::grower::line_search).
    pub fn line_search(
        &self,
        plan: &Plan,
        grid: &[f64],
        objective: &dyn Objective,
    ) -> Result<LineSearch, NnError> {
        LineSearch::of(self, plan, grid, objective)
    }
}

impl Answer {
    pub fn of(passage: &Passage) -> Self {
        Self {
            weight: passage.weight,
            pre_activation: passage.pre_activation.clone(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.pre_activation.bytes()
    }
}
