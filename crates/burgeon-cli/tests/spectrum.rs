//! `burgeon spectrum` on files as others would write them.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::Value;

/// A deterministic sequence without a pattern that matters.
fn values(count: usize, offset: f64) -> Vec<u8> {
    let value = |i: usize| ((i as f64 + offset) * 12.9898).sin() * 43758.5453 % 1.0;
    (0..count)
        .flat_map(|i| (value(i) as f32).to_le_bytes())
        .collect()
}

fn write(path: &Path, arrays: &[(&str, &[usize], Vec<u8>)], metadata: &[(&str, &str)]) {
    let views = arrays.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("fits");
        (*name, view)
    });
    let pairs = metadata.iter();
    let metadata: HashMap<String, String> = pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    serialize_to_file(views, Some(metadata), path).expect("writable");
}

fn spectrum(path: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .arg("spectrum")
        .arg(path)
        .args(options)
        .output()
        .expect("the program starts")
}

fn answer(path: &Path, method: &str) -> Value {
    let output = spectrum(path, &["--json", "--method", method]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn numbers(answer: &Value, name: &str) -> Vec<f64> {
    let array = answer[name].as_array().expect("an array");
    array.iter().filter_map(Value::as_f64).collect()
}

#[test]
fn krylov_and_dense_agree_on_rows_and_on_maps() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = folder.path().join("rows.safetensors");
    let x = ("x", &[70, 30][..], values(70 * 30, 0.0));
    write(&rows, &[x, ("w", &[70, 5], values(70 * 5, 0.5))], &[]);
    let maps = folder.path().join("maps.safetensors");
    let input = ("input", &[6, 3, 5, 7][..], values(6 * 3 * 35, 0.0));
    let w = ("w", &[6, 4, 3, 3][..], values(6 * 4 * 9, 0.25));
    let window = [("kernel", "3,3"), ("stride", "2,3"), ("padding", "1")];
    write(&maps, &[input, w], &window);
    for (path, neurons) in [(&rows, 5), (&maps, 4)] {
        let dense = answer(path, "dense");
        let krylov = answer(path, "krylov");
        assert_eq!(dense["method"], "dense");
        assert_eq!(krylov["method"], "krylov");
        assert!(krylov["iterations"].as_u64() > Some(1));
        assert!(krylov["seconds"].as_f64() > Some(0.0));
        assert!(krylov["peak_bytes"].as_u64() > Some(0));
        for end in ["min", "max"] {
            let exact = numbers(&dense, &format!("lambda_{end}"));
            let found = numbers(&krylov, &format!("lambda_{end}"));
            let residuals = numbers(&krylov, &format!("residual_{end}"));
            assert_eq!((exact.len(), found.len()), (neurons, neurons));
            for ((exact, found), residual) in exact.iter().zip(&found).zip(&residuals) {
                let slack = 1e-9 * exact.abs();
                assert!((exact - found).abs() <= residual + slack, "{exact} {found}");
                assert!(residual / exact.abs() < 1e-2, "{residual} {exact}");
            }
        }
    }
    let table = spectrum(&rows, &["--method", "rayleigh", "--passes", "3"]);
    assert!(table.status.success());
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("rayleigh on flex"), "{text}");
}

#[test]
fn unsound_files_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file.safetensors");
    let refused = |options: &[&str], expected: &str| {
        let output = spectrum(&path, options);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    };
    refused(&[], "No such file");
    std::fs::write(&path, "rubbish").expect("writable");
    refused(&[], "not a safetensors file");
    let x = || ("x", &[4, 3][..], values(12, 0.0));
    write(&path, &[x()], &[]);
    refused(&[], "no array `w`");
    write(&path, &[x(), ("w", &[5, 2], values(10, 0.0))], &[]);
    refused(&[], "not [n, d] and [n, M]");
    let nan = f32::NAN.to_le_bytes().repeat(8);
    write(&path, &[x(), ("w", &[4, 2], nan)], &[]);
    refused(&[], "NaN");
    write(&path, &[x(), ("w", &[4, 2], values(8, 0.0))], &[]);
    refused(&["--method", "lanczos"], "dense, krylov, rayleigh");
    refused(&["--tolerance", "0"], "tolerance");
    refused(&["--device", "abacus"], "abacus");
    let input = || ("input", &[1, 1, 4, 4][..], values(16, 0.0));
    let w = || ("w", &[1, 2, 4, 4][..], values(32, 0.0));
    write(&path, &[input(), w()], &[]);
    refused(&[], "its metadata has no");
    let window = [("kernel", "3"), ("stride", "0"), ("padding", "1")];
    write(&path, &[input(), w()], &window);
    refused(&[], "`stride` = `0`");
    let window = [("kernel", "3"), ("stride", "1"), ("padding", "0")];
    write(&path, &[input(), w()], &window);
    refused(&[], "has outputs [1, M, 2, 2]");
}

/// Shapes and windows that no method can answer for: the same error for each, and soon.
#[test]
fn absurd_shapes_are_refused_by_every_method() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file.safetensors");
    let refused = |arrays: [(&str, &[usize]); 2], window: [&str; 3], expected: &str| {
        let arrays = arrays.map(|(name, shape)| {
            let count = shape.iter().product();
            (name, shape, values(count, 0.0))
        });
        let [kernel, stride, padding] = window;
        let metadata = [("kernel", kernel), ("stride", stride), ("padding", padding)];
        write(&path, &arrays, &metadata);
        let said = ["auto", "dense", "krylov", "rayleigh"].map(|method| {
            let output = spectrum(&path, &["--method", method]);
            assert_eq!(output.status.code(), Some(1), "{method}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        });
        assert!(said[0].contains(expected), "{}", said[0]);
        assert!(!said[0].contains("panicked"), "{}", said[0]);
        assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    };
    let rows = |x: &[usize; 2], w: &[usize; 2], expected: &str| {
        refused([("x", x), ("w", w)], ["1", "1", "0"], expected);
    };
    rows(&[4, 3], &[5, 2], "not [n, d] and [n, M]");
    rows(&[4, 0], &[4, 2], "at least 1");
    rows(&[4, 3], &[4, 0], "at least 1");
    rows(&[0, 3], &[0, 2], "at least 1");
    let maps = |w: [usize; 4], window: [&str; 3], expected: &str| {
        refused([("input", &[1, 1, 4, 4]), ("w", &w)], window, expected);
    };
    maps([1, 2, 0, 0], ["3", "1", "1"], "at least 1");
    maps([1, 2, 1, 1], ["9", "1", "0"], "kernel size = 9");
    maps([1, 2, 1, 1], ["3", "1000000", "1"], "stride = 1000000");
    maps(
        [1, 2, 3, 3],
        ["3", "1", "4000000000"],
        "padding = 4000000000",
    );
    let most = usize::MAX.to_string();
    maps([1, 2, 1, 1], [&most, "1", "0"], "kernel size");
    maps([1, 2, 1, 1], ["3", "1", &most], "kernel size");
    refused(
        [("input", &[1, 0, 4, 4]), ("w", &[1, 2, 4, 4])],
        ["3", "1", "1"],
        "at least 1",
    );
}
