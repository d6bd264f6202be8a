//! Whether one neuron can answer for its copies.

use burgeon_graph::{Operation, Role, Site};
use burn::backend::ir::{
    BaseOperationIr, FloatOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr, TensorId,
};
use burn::module::ParamId;

use crate::sites::form::{Pointwise, Reads};
use crate::sites::linear::is_linear;
use crate::trace::Trace;

/// Whether `Σ w_i σ(θ_iᵀx)` as a channel of `a` does to everything that reads `site` what copies
/// `θ_i` with outgoing weights `w_i` do. What lies behind `a` must be linear in each channel, and
/// all that is mixed must be mixed by parameters; what lies before it must be of a kind whose
/// change along an offset is known.
pub(super) fn merges(trace: &Trace, site: &Site, form: &Pointwise) -> bool {
    let ranks = match form.reads {
        Reads::Rows => trace.rank(form.a) == Some(2),
        Reads::Maps(_) => true,
        Reads::Signals(_) => false,
    };
    let goes_through = |index: &usize| {
        let operation = &trace.operations[*index];
        let of_data = operation.inputs().any(|tensor| trace.is_data(tensor.id));
        form.chain.contains(index) || !of_data || is_linear(operation)
    };
    let is_mixed = |index: usize| {
        let operation = &trace.operations[index];
        let data = operation.inputs().filter(|t| trace.is_data(t.id));
        let mixes = matches!(
            trace.graph().nodes()[index].operation,
            Operation::Linear | Operation::MatMul | Operation::Convolution { .. }
        );
        mixes && data.count() == 1
    };
    ranks
        && form.activation.is_some()
        && adds_bias_first(trace, site, form)
        && site.nodes().iter().all(goes_through)
        && site.edges().iter().all(|edge| is_mixed(edge.node))
}

/// Whether the pre-activation is the producer's product, with the bias of θ added once and as it
/// stands, and normalised after that.
fn adds_bias_first(trace: &Trace, site: &Site, form: &Pointwise) -> bool {
    let graph = trace.graph();
    let bias = site.fan_in().iter().find_map(|part| {
        let parameter = &graph.parameters()[part.parameter];
        let is_bias = parameter.roles[part.axis] == Some(Role::Bias);
        is_bias.then_some((parameter.id, part.size))
    });
    let first = form.norms.first().copied().unwrap_or(usize::MAX);
    let mut added = 0;
    for &index in &form.chain {
        if form.norms.contains(&index) || form.sigma.contains(&index) {
            continue;
        }
        let summands: Vec<TensorId> = match &trace.operations[index] {
            OperationIr::NumericFloat(_, NumericOperationIr::Add(o)) if index < first => {
                [o.lhs.id, o.rhs.id]
                    .into_iter()
                    .filter(|id| !trace.is_data(*id))
                    .collect()
            }
            OperationIr::Float(_, FloatOperationIr::Matmul(_)) => Vec::new(),
            OperationIr::Module(ModuleOperationIr::Linear(o)) => {
                o.bias.iter().map(|bias| bias.id).collect()
            }
            OperationIr::Module(ModuleOperationIr::Conv2d(o)) => {
                o.bias.iter().map(|bias| bias.id).collect()
            }
            _ => return false,
        };
        let of_bias = |id: &&TensorId| bias.is_some() && reshaped(trace, **id) == bias.map(|b| b.0);
        added += summands.iter().filter(of_bias).count();
    }
    match bias {
        Some((_, size)) => size == 1 && added == 1,
        None => true,
    }
}

/// The parameter that a tensor is, perhaps in another shape.
fn reshaped(trace: &Trace, mut tensor: TensorId) -> Option<ParamId> {
    loop {
        if let Some(id) = trace.parameters.get(&tensor) {
            return Some(*id);
        }
        let made = |operation: &&OperationIr| operation.outputs().any(|t| t.id == tensor);
        match trace.operations.iter().find(made)? {
            OperationIr::BaseFloat(BaseOperationIr::Reshape(o)) => tensor = o.input.id,
            _ => return None,
        }
    }
}
