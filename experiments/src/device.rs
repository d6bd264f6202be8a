//! Devices by name.

use burgeon_backend_flex::Flex;
use burgeon_backend_ndarray::NdArray;
use burgeon_core::SplitBackend;

use crate::error::ExperimentError;

/// Names of the devices there are; the first is the default.
pub const DEVICES: [&str; 2] = ["flex", "ndarray"];

/// The backend of that name.
///
/// # Errors
/// [`ExperimentError::UnknownDevice`].
pub fn backend(name: &str) -> Result<Box<dyn SplitBackend>, ExperimentError> {
    match name {
        "flex" => Ok(Box::new(Flex)),
        "ndarray" => Ok(Box::new(NdArray)),
        other => Err(ExperimentError::UnknownDevice(other.to_owned())),
    }
}
