//! The shared conformance suite of core, on this backend.
#![cfg(feature = "tch")]

use burgeon_backend_tch::LibTorch;
use burgeon_core::testing::conformance;

#[test]
fn conforms() {
    let checks = conformance(&LibTorch).expect("the backend computes");
    assert!(checks.len() >= 36, "only {} checks ran", checks.len());
    for check in &checks {
        assert!(check.passed(), "{check:?}");
    }
}
