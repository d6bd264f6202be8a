//! Surgery: model + plan → wider model, with the optimizer's state carried along; and pruning.

mod optimizer;
mod prune;
mod resolution;
mod rules;

pub use crate::edits::ParamEdits;
pub use optimizer::{carry_optimizer, optimizer_tensors};
pub use prune::keep_channels;
pub(crate) use resolution::Resolution;
pub use rules::{CopiedMoments, MomentRule, OptimizerRules};

use burgeon_core::Plan;
use burgeon_graph::Graph;

use crate::edits::{apply, compile};
use crate::error::NnError;
use crate::growable::Growable;

/// Applies `plan` to `model`, whose graph is `graph`, with step `epsilon`: the copies' parameters
/// are `θ + ε δ_i`, what reads them is multiplied by `w_i`. The parent's place
/// is taken by the first copy, the others are appended.
///
/// Returns the wider model and the edits by which [`carry_optimizer`] widens the
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
    Ok((apply(model, &edits)?.rebuilt(), edits))
}
