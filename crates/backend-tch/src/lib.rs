//! Splitting on LibTorch, through `burn-tch`.
//!
//! Behind the feature `tch`, for those who have LibTorch 2.9: its folder is named by the
//! environment variable `LIBTORCH` when building, and its `lib` belongs to `LD_LIBRARY_PATH`
//! when running. With `LIBTORCH_USE_PYTORCH=1` the build takes the one of an installed
//! PyTorch 2.9.0 instead. Without the feature the crate holds the error that says so.
//!
//! The products of splitting are LibTorch's own tensor operations, and so are convolutions,
//! normalisations and activations. Burn deprecates this backend and keeps it to 0.22.

#[cfg(feature = "tch")]
use burgeon_core::SplitBackend;
#[cfg(feature = "tch")]
use burn::tensor::Device;
use thiserror::Error;

/// The device's name on the command line.
pub const NAME: &str = "tch";

/// The backend was not compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "this build has no device `tch`: build it with `--features tch` and LIBTORCH set to the folder \
     of a LibTorch 2.9"
)]
pub struct NotBuilt;

/// The CPU through LibTorch.
#[cfg(feature = "tch")]
#[derive(Debug, Clone, Copy, Default)]
pub struct LibTorch;

#[cfg(feature = "tch")]
impl SplitBackend for LibTorch {
    fn name(&self) -> &'static str {
        NAME
    }

    #[expect(deprecated, reason = "this crate is the LibTorch backend")]
    fn device(&self) -> Device {
        Device::libtorch()
    }
}

/// The backend.
///
/// # Errors
/// [`NotBuilt`] without the feature `tch`.
pub fn open() -> Result<Box<dyn burgeon_core::SplitBackend>, NotBuilt> {
    #[cfg(feature = "tch")]
    return Ok(Box::new(LibTorch));
    #[cfg(not(feature = "tch"))]
    Err(NotBuilt)
}
