//! Weights files.

use std::path::Path;

use burgeon_nn::weights::{load_weights, save_weights};
use burn::tensor::{Device, Tensor};

use super::codec::Codec;
use super::core::{Core, CoreConfig};
use crate::error::NpiError;
use crate::tasks::Task;

/// Writes a network's weights to a safetensors file.
///
/// # Errors
/// [`NpiError::Weights`] if it cannot be written.
pub fn save(core: &Core, path: &Path) -> Result<(), NpiError> {
    save_weights(core, path).map_err(|error| NpiError::Weights(error.to_string()))
}

/// The network of a file that [`save`] wrote, at whatever widths it has.
///
/// # Errors
/// [`NpiError::Weights`] if it cannot be read, or does not hold weights of this task.
pub fn load(task: &dyn Task, path: &Path, device: &Device) -> Result<Core, NpiError> {
    let codec = Codec::new(task.instructions());
    let core = Core::new(&codec, CoreConfig::default(), 0, device);
    let example = Tensor::zeros([1, 2, codec.inputs()], device);
    load_weights(&core, path, &example).map_err(|error| {
        NpiError::Weights(format!(
            "{error}; the weights are to be those of a network for {}",
            task.name()
        ))
    })
}
