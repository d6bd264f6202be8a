//! Devices, each in a crate of its own, and all of them by name.

use std::sync::Arc;

use burgeon_backend_cuda::{DeviceError, Runtime};
use burgeon_core::SplitBackend;

pub use burgeon_backend_cuda as cuda;
pub use burgeon_backend_flex as flex;
pub use burgeon_backend_ndarray as ndarray;

/// The device that command lines use unless told.
pub const DEFAULT: &str = "flex";

/// Names of the devices that every build and machine has.
pub const HOST: [&str; 2] = [DEFAULT, "ndarray"];

/// Why there is no device of a name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A name that stands for no device.
    #[error("unknown device `{0}`: use flex, ndarray, cuda, wgpu, cpu, or cuda:1 and so on")]
    Unknown(String),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// The backend of that name: `flex`, `ndarray`, or `cuda`, `wgpu` and `cpu` (of CubeCL) with,
/// after a colon, the index of the device.
///
/// # Errors
/// [`BackendError::Unknown`], or [`BackendError::Device`] for one that this build or machine does
/// not have.
pub fn open(name: &str) -> Result<Arc<dyn SplitBackend>, BackendError> {
    match name {
        "flex" => return Ok(Arc::new(flex::FLEX)),
        "ndarray" => return Ok(Arc::new(ndarray::NDARRAY)),
        _ => {}
    }
    let unknown = || BackendError::Unknown(name.to_owned());
    let (runtime, index) = name.split_once(':').unwrap_or((name, "0"));
    let mut runtimes = Runtime::ALL.into_iter();
    let runtime = runtimes.find(|known| known.name() == runtime);
    let index = index.parse().map_err(|_| unknown())?;
    Ok(cuda::open(runtime.ok_or_else(unknown)?, index)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stand_for_no_device_are_errors() {
        for name in [
            "gpu", "", "cuda:", "cuda:x", "cuda:-1", "flex:0", "wgpu:1:2", "tch",
        ] {
            let error = open(name).map(|_| ()).unwrap_err();
            assert!(matches!(error, BackendError::Unknown(_)), "{name}: {error}");
        }
        for name in HOST {
            assert_eq!(open(name).expect("in every build").name(), name);
        }
    }

    #[test]
    fn a_device_that_is_not_built_or_not_there_says_so() {
        for name in ["cuda:99", "wgpu:99", "cpu:99"] {
            let error = open(name).map(|_| ()).unwrap_err();
            assert!(matches!(error, BackendError::Device(_)), "{name}: {error}");
            let runtime = name.trim_end_matches(":99");
            assert!(error.to_string().contains(runtime), "{error}");
        }
    }
}
