//! Instruments at a model's sites: what a capture, and so a criterion, needs of them.

mod blocks;
mod expansion;
mod fan_in;
mod form;
mod jets;
mod linear;
mod merged;
mod moments;
mod pass;
#[cfg(test)]
mod tests;
mod theta;
mod virtual_growth;

use std::collections::HashSet;

use burgeon_core::eigen::SiteShape;
use burgeon_graph::Site;
use burn::backend::ir::{TensorId, TensorIr};

pub(crate) use fan_in::fan_in_factors;
pub(crate) use form::Form;
pub(crate) use jets::{JetBatch, JetOperator};
pub(crate) use moments::MomentSums;
pub(crate) use pass::{CapturedSite, capture};
pub(crate) use theta::Theta;
pub(crate) use virtual_growth::{Grown, VirtualGrowth};

use crate::replay::{Frame, Network, Value, Values};
use crate::trace::Trace;

/// A site as instruments see it.
#[derive(Debug, Clone)]
pub(crate) struct SiteForm {
    pub name: String,
    pub shape: SiteShape,
    pub form: Form,
    pub theta: Theta,
    /// The operations through which jets go, in their order.
    pub order: Vec<usize>,
    /// The tensors that they read and give.
    pub needs: HashSet<TensorId>,
    /// Where the channels are mixed: the operation and what it reads.
    pub edges: HashSet<(usize, TensorId)>,
}

impl SiteForm {
    /// Site `site` of `trace`; `by_jets` asks for the general way whatever the site is.
    pub fn of(trace: &Trace, site: &Site, by_jets: bool) -> Self {
        let form = match by_jets {
            true => Form::Jets,
            false => Form::of(trace, site),
        };
        let mut edges = HashSet::new();
        for edge in site.edges() {
            for tensor in trace.operations[edge.node].inputs() {
                if trace.values.get(&tensor.id) == Some(&edge.value) {
                    edges.insert((edge.node, tensor.id));
                }
            }
        }
        let mut order: Vec<usize> = site.nodes().to_vec();
        // Parameters of the site in other shapes.
        for (index, operation) in trace.operations.iter().enumerate() {
            let of_data = operation.outputs().any(|tensor| trace.is_data(tensor.id));
            if !of_data && !order.contains(&index) {
                order.push(index);
            }
        }
        order.sort_unstable();
        let mut needs = HashSet::new();
        for &index in &order {
            needs.extend(
                trace.operations[index]
                    .nodes()
                    .iter()
                    .map(|tensor| tensor.id),
            );
        }
        needs.retain(|id| !trace.parameters.contains_key(id));
        Self {
            name: site.name().to_owned(),
            shape: SiteShape {
                name: site.name().to_owned(),
                neurons: site.width(),
                dim: site.dim(),
            },
            form,
            theta: Theta::of(trace.graph(), site),
            order,
            needs,
            edges,
        }
    }
}

/// A tensor that jets read and that does not move: one of the pass, a parameter or a constant.
fn still(network: &Network, values: &Values, tensor: &TensorIr, frame: &Frame) -> Option<Value> {
    let known = values.get(&tensor.id).cloned();
    known.or_else(|| network.still(tensor.id, frame))
}
