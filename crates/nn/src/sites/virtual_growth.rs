//! A network under a plan without surgery.

use std::borrow::Cow;
use std::collections::HashSet;

use burgeon_core::Plan;
use burn::backend::ir::TensorId;
use burn::module::ParamId;

use crate::edits::{Compiled, ParamEdits, Prepared, Target};
use crate::error::NnError;
use crate::replay::{Network, Value, Values};

use super::merged::MergedGrowth;

/// A network under a plan, for each step of a grid.
pub(crate) enum VirtualGrowth<'a> {
    /// Split neurons answer for their copies.
    Merged(MergedGrowth<'a>, &'a [f64]),
    /// The trace with the plan's parameters and widths.
    Widened(Widened<'a>),
}

/// A network widened for each step of a grid.
pub(crate) struct Widened<'a> {
    network: Cow<'a, Network>,
    steps: Vec<Network>,
    /// The parameters that the plan changes.
    changed: HashSet<ParamId>,
    /// The tensors of a pass of the network as it is that are read.
    needs: HashSet<TensorId>,
}

impl<'a> VirtualGrowth<'a> {
    /// # Errors
    /// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit.
    pub fn of(network: &'a Network, plan: &Plan, grid: &'a [f64]) -> Result<Self, NnError> {
        if let Some(merged) = MergedGrowth::of(network, plan)? {
            return Ok(Self::Merged(merged, grid));
        }
        let grown = Grown::new(network, plan)?;
        let changed = grown.changed();
        Ok(Self::Widened(Widened {
            steps: grid.iter().map(|epsilon| grown.at(*epsilon)).collect(),
            needs: needs(&grown.network, &changed),
            network: grown.network,
            changed,
        }))
    }

    /// The network that a pass is of: over-grown where the plan has new layers, of which the network
    /// as it is then is a part that answers the same.
    pub fn network(&self) -> &Network {
        match self {
            Self::Merged(merged, _) => merged.network(),
            Self::Widened(widened) => &widened.network,
        }
    }

    /// The tensors of the network as it is that [`outputs`](Self::outputs) reads.
    pub fn needs(&self) -> &HashSet<TensorId> {
        match self {
            Self::Merged(merged, _) => merged.needs(),
            Self::Widened(widened) => &widened.needs,
        }
    }

    /// The outputs for each step on inputs of `batch` rows, of which `before` is what the network
    /// as it is has, or that of it from which the rest follows.
    ///
    /// # Errors
    /// As [`Network::predict`].
    pub fn outputs(&self, before: &Values, batch: usize) -> Result<Vec<Value>, NnError> {
        match self {
            Self::Merged(merged, grid) => merged.outputs(before, grid, batch),
            Self::Widened(widened) => {
                let before = &widened.network.completed(before, &widened.needs, batch)?;
                let steps = widened.steps.iter();
                steps
                    .map(|network| network.run_from(before, &widened.changed, batch))
                    .collect()
            }
        }
    }
}

/// What operations read that depend on `changed` parameters, and that does not.
fn needs(network: &Network, changed: &HashSet<ParamId>) -> HashSet<TensorId> {
    let trace = &*network.trace;
    let own = trace.parameters.iter();
    let own = own.filter(|(_, parameter)| changed.contains(parameter));
    let mut moved: HashSet<TensorId> = own.map(|(id, _)| *id).collect();
    let mut needs = HashSet::from([trace.output]);
    for operation in &trace.operations {
        if operation.inputs().any(|t| moved.contains(&t.id)) {
            needs.extend(operation.inputs().map(|t| t.id));
            moved.extend(operation.outputs().map(|t| t.id));
        }
    }
    needs.retain(|id| *id == trace.output || !moved.contains(id));
    needs
}

/// A network under a plan, widened, for any step.
pub(crate) struct Grown<'a> {
    /// The one that there is, over-grown where the plan has new layers.
    network: Cow<'a, Network>,
    edits: ParamEdits,
    prepared: Vec<(ParamId, Prepared)>,
}

impl<'a> Grown<'a> {
    /// # Errors
    /// [`NnError::Plan`] or [`NnError::Graph`] where the plan does not fit.
    pub fn new(network: &'a Network, plan: &Plan) -> Result<Self, NnError> {
        let target = Target::of(network.trace.graph(), plan)?;
        let edits = Compiled::of(&target, 0.0, false)?.edits;
        let network = match target.is_deep() {
            true => Cow::Owned(network.deepened()?),
            false => Cow::Borrowed(network),
        };
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
