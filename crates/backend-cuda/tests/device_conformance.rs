//! The shared conformance suite of core, on a runtime that exists without a GPU.
#![cfg(feature = "wgpu")]

use burgeon_backend_cuda::CubeDevice;
use burgeon_core::testing::conformance;

#[test]
fn conforms() {
    let device = CubeDevice::wgpu(0).expect("a Vulkan driver; Mesa's lavapipe needs no GPU");
    let checks = conformance(&device).expect("the device computes");
    assert!(checks.len() >= 34, "only {} checks ran", checks.len());
    for check in &checks {
        assert!(check.passed(), "{check:?}");
    }
}
