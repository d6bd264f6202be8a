//! A plan's losses without surgery: the trace with the plan's parameters and widths.

use std::collections::HashSet;

use burgeon_core::Plan;
use burn::module::ParamId;

use crate::edits::{ParamEdits, Prepared, compile};
use crate::error::NnError;
use crate::replay::Network;

/// A network under a plan, for any step.
pub(crate) struct Grown<'a> {
    network: &'a Network,
    edits: ParamEdits,
    prepared: Vec<(ParamId, Prepared)>,
}

impl<'a> Grown<'a> {
    /// # Errors
    /// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit.
    pub fn new(network: &'a Network, plan: &Plan) -> Result<Self, NnError> {
        let edits = compile(network.trace.graph(), plan, 0.0)?;
        let mut prepared = Vec::new();
        for (id, edit) in &edits.edits {
            let value = network.parameters.get(id).cloned().ok_or_else(|| {
                NnError::Plan("the model lost a parameter since it was traced".into())
            })?;
            prepared.push((*id, Prepared::of(edit, value)?));
        }
        Ok(Self {
            network,
            edits,
            prepared,
        })
    }

    /// The network with step `epsilon`.
    pub fn at(&self, epsilon: f64) -> Network {
        let mut parameters = self.network.parameters.clone();
        for (id, prepared) in &self.prepared {
            parameters.insert(*id, prepared.at(epsilon));
        }
        self.network.with(parameters, self.edits.widths.clone())
    }

    /// The parameters that the plan changes.
    pub fn changed(&self) -> HashSet<ParamId> {
        self.prepared.iter().map(|(id, _)| *id).collect()
    }
}
