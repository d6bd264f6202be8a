//! The shared conformance suite of core, on this backend.

use burgeon_backend_flex::FLEX;
use burgeon_core::testing::conformance;

#[test]
fn conforms() {
    let checks = conformance(&FLEX).expect("the backend computes");
    assert!(checks.len() >= 36, "only {} checks ran", checks.len());
    for check in &checks {
        assert!(check.passed(), "{check:?}");
    }
}
