//! Surgery: model + plan → wider model, with the optimizer's state carried along; and pruning.

mod optimizer;
mod prune;
mod rescale;
mod resolution;
mod rules;

pub use crate::edits::ParamEdits;
pub use optimizer::{carry_optimizer, optimizer_tensors};
pub use prune::keep_channels;
pub use rescale::rescale;
pub(crate) use resolution::Resolution;
pub use rules::{CopiedMoments, MomentRule, OptimizerRules};

use std::collections::HashMap;

use burgeon_core::{Growth, Plan};
use burgeon_graph::Graph;
use burn::module::ParamId;

use crate::edits::{apply, compile};
use crate::error::NnError;
use crate::growable::Growable;
use crate::lengthen::{Insertion, lengthened};

/// Applies `plan` to `model`, whose graph is `graph`, with step `epsilon`: the copies' parameters
/// are `θ + ε δ_i`, what reads them is multiplied by `w_i`. The parent's place
/// is taken by the first copy, the others are appended. New layers are put into their stacks; what
/// the optimizer knows of other parameters stays, theirs starts anew.
///
/// Returns the larger model and the edits by which [`carry_optimizer`] widens the
/// optimizer's state. `model` is not changed, running statistics included.
///
/// # Errors
/// [`NnError::Plan`] or [`NnError::Graph`] if the plan does not fit the model or splits one channel
/// twice, or if the type of the weights does not resolve a step that is not 0.
pub fn apply_plan<M: Growable>(
    model: &M,
    graph: &Graph,
    plan: &Plan,
    epsilon: f64,
) -> Result<(M, ParamEdits), NnError> {
    let edits = compile(graph, plan, epsilon)?;
    Resolution::new(model, graph, plan).check(epsilon)?;
    let (grown, edits) = match with_blocks(model, graph, plan)? {
        Some((longer, ids)) => {
            let edits = edits.renamed(&ids);
            (apply(&longer, &edits)?, edits)
        }
        None => (apply(model, &edits)?, edits),
    };
    Ok((grown.rebuilt(), edits))
}

/// Ids of parameters by those that they had.
type Renamed = HashMap<ParamId, ParamId>;

/// `model` with a block for each new layer of `plan`, and the ids of the blocks' floats by those
/// that they have in the over-grown graph; `None` if the plan has no new layer.
fn with_blocks<M: Growable>(
    model: &M,
    graph: &Graph,
    plan: &Plan,
) -> Result<Option<(M, Renamed)>, NnError> {
    let mut places = Vec::new();
    for growth in plan.growths() {
        if let Growth::NewLayer(layer) = growth {
            places.push(graph.place(&layer.stack, layer.after)?.1);
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    let insertions = places.iter().map(|place| Insertion {
        stack: &place.stack,
        after: place.after,
    });
    let (longer, blocks) = lengthened(model, &insertions.collect::<Vec<_>>())?;
    let mut ids = Renamed::new();
    for (place, block) in places.iter().zip(&blocks) {
        let new = block.parameters.iter().map(|parameter| parameter.id);
        ids.extend(place.ids.iter().copied().zip(new));
    }
    Ok(Some((longer, ids)))
}
