//! Every reference value, on both host backends and the devices of CubeCL that need no GPU, in the float
//! types that each has.

use std::path::Path;

use burgeon::backend::flex::FLEX;
use burgeon::backend::ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burgeon_experiments::golden::check_directory;
use burn::tensor::DType;

fn check(backend: &dyn SplitBackend) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden");
    let report = check_directory(&directory, backend).expect("the reference files are readable");
    for row in &report.rows {
        println!("{row:?}");
    }
    let failed: Vec<_> = report.rows.iter().filter(|row| !row.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let compared = |quantity: &str| -> usize {
        let rows = report.rows.iter().filter(|row| row.quantity == quantity);
        rows.map(|row| row.count).sum()
    };
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    let types = [DType::F64, DType::F32].into_iter();
    let types = types.filter(|dtype| backend.supports(*dtype)).count();
    // 29 dense and 30 convolution neurons.
    assert_eq!(compared("splitting matrices"), types * 59);
    for quantity in ["eigenvalues by krylov", "eigenvalues by rayleigh"] {
        assert_eq!(compared(quantity), types * 2 * 59);
    }
    assert_eq!(compared("losses after splits"), types * 3 * 29 * 5);
}

#[test]
fn flex_reproduces_the_reference() {
    check(&FLEX);
}

#[test]
fn ndarray_reproduces_the_reference() {
    check(&NDARRAY);
}

#[cfg(any(feature = "wgpu", feature = "cpu"))]
fn check_device(name: &str) {
    let device = burgeon::backend::open(name).expect("the device is there");
    check(device.as_ref());
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_reproduces_the_reference() {
    // A Vulkan driver; Mesa's lavapipe needs no GPU.
    check_device("wgpu");
}

#[cfg(feature = "cpu")]
#[test]
fn the_processors_through_cubecl_reproduce_the_reference() {
    check_device("cpu");
}
