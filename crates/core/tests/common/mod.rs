//! What the tests of this crate share.

use burgeon_core::SplitBackend;
use burn::tensor::Device;

/// Plain tensor operations, as a backend crate has them by default.
#[derive(Debug)]
pub struct Plain;

impl SplitBackend for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn device(&self) -> Device {
        Device::flex()
    }
}
