//! Edits on a model.

use burn::backend::TensorMetadata;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::ParamEdits;
use crate::checkpointing;
use crate::copies::detached;
use crate::error::NnError;
use crate::ports::InnerOrSelf;

/// `model` with `edits` made: on the same device, in the same types, and leaves of the graph where
/// they were. `model` is not changed, running statistics included.
///
/// # Errors
/// [`NnError::Plan`] where an edit does not fit its parameter.
pub(crate) fn apply<M: Module>(model: &M, edits: &ParamEdits) -> Result<M, NnError> {
    Ok(checkpointing::as_in(map(detached(model), edits)?, model))
}

/// As [`apply`], of a model of which nothing else is a clone.
pub(crate) fn map<M: Module>(model: M, edits: &ParamEdits) -> Result<M, NnError> {
    let mut surgeon = Surgeon { edits, error: None };
    let model = model.map(&mut surgeon);
    match surgeon.error {
        Some(error) => Err(error),
        None => Ok(model),
    }
}

struct Surgeon<'a> {
    edits: &'a ParamEdits,
    error: Option<NnError>,
}

impl ModuleMapper for Surgeon<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.edits.contains(param.id) || self.error.is_some() {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let (is_autodiff, requires_grad) = (tensor.is_autodiff(), tensor.is_require_grad());
        let plain = tensor.clone().inner_or_self().into_dispatch();
        let edited = match self.edits.apply(id, plain) {
            Ok(edited) if edited.rank() == D => Tensor::<D>::from_dispatch(edited),
            Ok(edited) => {
                let rank = edited.rank();
                let problem = format!("surgery changed a parameter's rank from {D} to {rank}");
                self.error = Some(NnError::Plan(problem));
                return Param::from_mapped_value(id, tensor, mapper);
            }
            Err(error) => {
                self.error = Some(error);
                return Param::from_mapped_value(id, tensor, mapper);
            }
        };
        let edited = match is_autodiff {
            true => Tensor::from_inner(edited).set_require_grad(requires_grad),
            false => edited,
        };
        Param::from_mapped_value(id, edited, mapper)
    }
}
