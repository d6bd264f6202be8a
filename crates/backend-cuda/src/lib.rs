//! Splitting on GPUs: NVIDIA's through `burn-cuda`, by kernels in CubeCL that run on its other
//! runtimes too.
//!
//! Without the features `cuda`, `wgpu` and `cpu` the crate holds the names of devices, the errors that
//! say how to get them and what NVIDIA's need, and nothing of CubeCL is built. The kernels are the curvature weights in
//! one pass, the Gram matrices by tiles, the matrix-free products without `X Vᵀ`, and the
//! eigen-decomposition of small matrices; a whole Krylov iteration stays on the device.

#[cfg(feature = "kernels")]
mod backend;
mod device;
mod error;
#[cfg(feature = "kernels")]
mod kernels;
#[cfg(feature = "kernels")]
mod krylov;
mod nvidia;
#[cfg(feature = "kernels")]
mod ops;
#[cfg(all(test, any(feature = "wgpu", feature = "cpu")))]
mod ops_tests;
mod runtime;

#[cfg(feature = "kernels")]
pub use backend::CubeDevice;
pub use error::DeviceError;
pub use nvidia::{Need, needs};
pub use runtime::Runtime;

/// Device number `index`, from 0, of `runtime`.
///
/// # Errors
/// [`DeviceError`] if the build, the driver, the device or the index is missing, or the device
/// does not start.
pub fn open(
    runtime: Runtime,
    index: usize,
) -> Result<Box<dyn burgeon_core::SplitBackend>, DeviceError> {
    #[cfg(feature = "kernels")]
    return Ok(Box::new(CubeDevice::open(runtime, index)?));
    #[cfg(not(feature = "kernels"))]
    {
        let _ = index;
        Err(runtime.not_built())
    }
}
