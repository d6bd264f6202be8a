//! Gradient checkpointing, which copies of a model and plain tensors do not carry.
//!
//! Burn refuses an operation on tensors of two strategies, and `valid().train()` gives the default
//! one: what is put beside a model, or in its place, takes the model's.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};

/// `copy` with the strategy of `model`, of which it is a changed copy.
pub(crate) fn as_in<M: Module>(copy: M, model: &M) -> M {
    let devices = model.devices();
    match devices
        .first()
        .and_then(Device::gradient_checkpointing_strategy)
    {
        None | Some(GradientCheckpointingStrategy::Disabled) => copy,
        Some(strategy) => copy.map(&mut Setter(strategy)),
    }
}

struct Setter(GradientCheckpointingStrategy);

impl ModuleMapper for Setter {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let tensor = match tensor.is_autodiff() {
            true => tensor.with_gradient_checkpointing_strategy(self.0),
            false => tensor,
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}
