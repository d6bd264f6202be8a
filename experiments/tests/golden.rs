//! Every reference value, on both backends, in both float types.

use std::path::Path;

use burgeon::backend::flex::FLEX;
use burgeon::backend::ndarray::NDARRAY;
use burgeon_core::SplitBackend;
use burgeon_experiments::golden::check_directory;

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
    // 29 dense and 30 convolution neurons, in f64 and f32.
    assert_eq!(compared("splitting matrices"), 2 * 59);
    for quantity in ["eigenvalues by krylov", "eigenvalues by rayleigh"] {
        assert_eq!(compared(quantity), 2 * 2 * 59);
    }
    assert_eq!(compared("losses after splits"), 2 * 3 * 29 * 5);
}

#[test]
fn flex_reproduces_the_reference() {
    check(&FLEX);
}

#[test]
fn ndarray_reproduces_the_reference() {
    check(&NDARRAY);
}
