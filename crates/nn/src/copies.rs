//! Copies of a model.

use burn::module::Module;

use crate::checkpointing;

/// A copy whose running statistics are its own: Burn's clones share them, and
/// mapping a clone would change the original.
pub(crate) fn detached<M: Module>(model: &M) -> M {
    let is_autodiff = model.devices().iter().any(|device| device.is_autodiff());
    if is_autodiff {
        model.valid().train()
    } else {
        model.clone().train().valid()
    }
}

/// A copy that can be trained instead of `model`: its running statistics are its own.
pub fn copy<M: Module>(model: &M) -> M {
    checkpointing::as_in(detached(model), model)
}

/// `model` in inference mode. Its running statistics are the model's own.
pub(crate) fn inference<M: Module>(model: &M) -> M {
    let on_tape = model.devices().iter().any(|device| device.is_autodiff());
    if on_tape {
        model.valid()
    } else {
        model.clone()
    }
}

/// `model` in inference mode, of which nothing else is a clone.
pub(crate) fn separate<M: Module>(model: &M) -> M {
    let on_tape = model.devices().iter().any(|device| device.is_autodiff());
    match on_tape {
        true => model.valid(),
        false => detached(model),
    }
}
