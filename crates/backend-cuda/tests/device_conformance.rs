//! The shared conformance suite of core, on the runtimes that exist without a GPU.
#![cfg(any(feature = "wgpu", feature = "cpu"))]

use burgeon_backend_cuda::{CubeDevice, Runtime};
use burgeon_core::testing::conformance;

#[cfg(feature = "wgpu")]
#[test]
fn conforms_on_wgpu() {
    // A Vulkan driver; Mesa's lavapipe needs no GPU.
    conforms(Runtime::Wgpu);
}

#[cfg(feature = "cpu")]
#[test]
fn conforms_on_the_processors() {
    conforms(Runtime::Cpu);
}

fn conforms(runtime: Runtime) {
    let device = CubeDevice::open(runtime, 0).expect("the runtime's device");
    let checks = conformance(&device).expect("the device computes");
    assert!(checks.len() >= 34, "only {} checks ran", checks.len());
    for check in &checks {
        assert!(check.passed(), "{check:?}");
    }
}
