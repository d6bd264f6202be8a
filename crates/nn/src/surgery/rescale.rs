//! Weights multiplied by numbers.

use std::collections::HashMap;

use burgeon_graph::Graph;
use burn::module::{ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;

use crate::checkpointing;
use crate::copies::detached;
use crate::error::NnError;
use crate::growable::Growable;
use crate::ports::InnerOrSelf;

/// `model`, whose graph is `graph`, with the parameters of these paths multiplied. What an
/// optimizer keeps for them stays right where a layer's outputs are to be as large as before: the
/// gradient in its weights is then what it was.
///
/// # Errors
/// [`NnError::Plan`] for a path that the model does not have.
pub fn rescale<M: Growable>(
    model: &M,
    graph: &Graph,
    factors: &[(String, f64)],
) -> Result<M, NnError> {
    let mut by_id = HashMap::new();
    for (path, factor) in factors {
        let found = graph.parameters().iter().find(|own| own.path == *path);
        let parameter = found.ok_or_else(|| {
            NnError::Plan(format!("there is no parameter `{path}` to be rescaled"))
        })?;
        by_id.insert(parameter.id, *factor);
    }
    let scaled = detached(model).map(&mut Scaler(by_id));
    Ok(checkpointing::as_in(scaled, model))
}

struct Scaler(HashMap<ParamId, f64>);

impl ModuleMapper for Scaler {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(factor) = self.0.get(&param.id) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let (is_autodiff, requires_grad) = (tensor.is_autodiff(), tensor.is_require_grad());
        let scaled = tensor.inner_or_self().mul_scalar(*factor);
        let scaled = match is_autodiff {
            true => Tensor::from_inner(scaled).set_require_grad(requires_grad),
            false => scaled,
        };
        Param::from_mapped_value(id, scaled, mapper)
    }
}
