//! The shared conformance suite of core, on this backend.

use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::testing::conformance;

#[test]
fn conforms() {
    let checks = conformance(&NDARRAY).expect("the backend computes");
    assert!(checks.len() >= 36, "only {} checks ran", checks.len());
    for check in &checks {
        assert!(check.passed(), "{check:?}");
    }
}
