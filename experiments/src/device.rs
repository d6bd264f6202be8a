//! Devices by name.

use std::sync::Arc;

use burgeon_backend_cuda::Runtime;
use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::SplitBackend;

use crate::error::ExperimentError;

/// The device that is used unless told.
pub const DEFAULT_DEVICE: &str = "flex";

/// Names of the devices that every build and machine has.
pub const HOST_DEVICES: [&str; 2] = [DEFAULT_DEVICE, "ndarray"];

/// The backend of that name: `flex`, `ndarray`, or `cuda`, `wgpu` and `cpu` (of CubeCL) with,
/// after a colon, the index of the device.
///
/// # Errors
/// [`ExperimentError::UnknownDevice`], or [`ExperimentError::Device`] for one that this build or
/// machine does not have.
pub fn backend(name: &str) -> Result<Arc<dyn SplitBackend>, ExperimentError> {
    match name {
        "flex" => return Ok(Arc::new(FLEX)),
        "ndarray" => return Ok(Arc::new(NDARRAY)),
        _ => {}
    }
    let unknown = || ExperimentError::UnknownDevice(name.to_owned());
    let (runtime, index) = name.split_once(':').unwrap_or((name, "0"));
    let mut runtimes = Runtime::ALL.into_iter();
    let runtime = runtimes.find(|known| known.name() == runtime);
    let index = index.parse().map_err(|_| unknown())?;
    let opened = burgeon_backend_cuda::open(runtime.ok_or_else(unknown)?, index)?;
    Ok(opened.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stand_for_no_device_are_errors() {
        for name in [
            "gpu", "", "cuda:", "cuda:x", "cuda:-1", "flex:0", "wgpu:1:2", "tch",
        ] {
            let error = backend(name).map(|_| ()).unwrap_err();
            assert!(
                matches!(error, ExperimentError::UnknownDevice(_)),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_device_that_is_not_built_or_not_there_says_so() {
        for name in ["cuda:99", "wgpu:99", "cpu:99"] {
            let error = backend(name).map(|_| ()).unwrap_err();
            assert!(
                matches!(error, ExperimentError::Device(_)),
                "{name}: {error}"
            );
            let runtime = name.trim_end_matches(":99");
            assert!(error.to_string().contains(runtime), "{error}");
        }
    }
}
