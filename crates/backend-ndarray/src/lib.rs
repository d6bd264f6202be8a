//! Splitting on Burn's ndarray backend.

use burgeon_core::SplitBackend;
use burn::tensor::Device;

/// The CPU through `burn-ndarray`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NdArray;

impl SplitBackend for NdArray {
    fn name(&self) -> &'static str {
        "ndarray"
    }

    // Upstream deprecates the backend in favour of flex; this crate exists to offer it.
    #[expect(deprecated, reason = "this crate is the ndarray backend")]
    fn device(&self) -> Device {
        Device::ndarray()
    }
}
