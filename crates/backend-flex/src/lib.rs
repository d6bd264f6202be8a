//! Splitting on Burn's flex backend.

use burgeon_core::SplitBackend;
use burn::tensor::Device;

/// The CPU through `burn-flex`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flex;

impl SplitBackend for Flex {
    fn name(&self) -> &'static str {
        "flex"
    }

    fn device(&self) -> Device {
        Device::flex()
    }
}
