//! Networks taken away by `burgeon export`, and brought in by `burgeon grow --from`.

use std::path::Path;
use std::process::Command;

use common::{fails, images, succeeds, table};
use python::python;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

mod common;
#[path = "../../exchange/tests/networks/python.rs"]
mod python;

/// Rows that are compared.
const ROWS: usize = 100;

/// Exports the run in both ways, and compares with `burgeon predict`.
fn agree(test: &str, folder: &Path, data: &str) {
    let predictions = succeeds(folder, &["predict", "run", data, "--json"]);
    assert_eq!(predictions.lines().count(), ROWS);
    std::fs::write(folder.join("predictions.jsonl"), predictions).expect("written");
    for (format, out, program, modules) in [
        (
            "onnx",
            "net.onnx",
            "net.onnx",
            &["numpy", "onnx", "onnxruntime"][..],
        ),
        (
            "pytorch",
            "net.safetensors",
            "net.py",
            &["numpy", "torch", "safetensors"],
        ),
    ] {
        let export = ["export", "run", "--format", format, "--out", out];
        let said = succeeds(folder, &export);
        assert!(said.contains(out) && said.contains("net.json"), "{said}");
        fails(folder, &export, "--force");
        succeeds(folder, &[&export[..], &["--force"]].concat());
        if let Some(python) = python(test, modules) {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported.py");
            let arguments = [format, program, data, "predictions.jsonl"];
            let mut command = Command::new(python);
            let output = command
                .current_dir(folder)
                .arg(script)
                .args(arguments)
                .output();
            let output = output.expect("it was found before");
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{format}: {error}");
            let apart = String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse::<f64>();
            let apart = apart.expect("a number");
            assert!(apart <= 1e-5, "{format} differs by {apart}");
            println!("{format}: {apart:.1e}");
        }
        // Both write a description of this name.
        std::fs::remove_file(folder.join("net.json")).expect("written");
    }
}

#[test]
fn an_mlp_is_taken_away_and_grown_further_elsewhere() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    table(&folder.join("digits.csv"), 0, 600);
    table(&folder.join("more.csv"), 600, 400);
    table(&folder.join("new.csv"), 1000, ROWS);
    let fit = [
        "grow",
        "digits.csv",
        "--budget",
        "3k-params",
        "--epochs",
        "9",
    ];
    succeeds(folder, &fit);
    agree(
        "an_mlp_is_taken_away_and_grown_further_elsewhere",
        folder,
        "new.csv",
    );

    let own = [
        "export",
        "run",
        "--format",
        "safetensors",
        "--out",
        "own.safetensors",
    ];
    succeeds(folder, &own);
    let further = |from: &'static str, budget: &'static str, out: &'static str| {
        [
            "grow", "more.csv", "--from", from, "--budget", budget, "--epochs", "9", "--out", out,
        ]
    };
    fails(
        folder,
        &further("own.safetensors", "9k-params", "b"),
        "--format pytorch",
    );
    fails(
        folder,
        &further("net.safetensors", "1k-params", "b"),
        "raise it",
    );
    succeeds(folder, &further("net.safetensors", "9k-params", "further"));
    let summary = std::fs::read_to_string(folder.join("further/summary.json")).expect("written");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    // Other rows are standardised a little otherwise, so not all it knew is there.
    let known = summary["start"]["held_accuracy"].as_f64();
    assert!(known > Some(0.6), "{summary}");
    let sizes = summary["sizes"].as_array().expect("sizes");
    let parameters = |size: &serde_json::Value| size["parameters"].as_u64().expect("a number");
    let start = parameters(&summary["start"]);
    assert!(
        sizes.iter().any(|size| parameters(size) > start),
        "{summary}"
    );
    assert!(
        sizes.iter().all(|size| parameters(size) <= 9000),
        "{summary}"
    );
    succeeds(folder, &["evaluate", "further", "new.csv"]);
    fails(
        folder,
        &["export", "none", "--format", "onnx", "--out", "x.onnx"],
        "predictor.json",
    );
    fails(
        folder,
        &["export", "run", "--format", "onnx", "--out", "x.json"],
        "another extension",
    );

    // The same folder is not gone on with from another network.
    let other = Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .current_dir(folder)
        .args([
            "grow",
            "more.csv",
            "--budget",
            "9k-params",
            "--epochs",
            "9",
            "--out",
            "further",
        ])
        .output()
        .expect("the program starts");
    assert!(String::from_utf8_lossy(&other.stderr).contains("begun from another network"));
}

#[test]
fn a_cnn_is_taken_away_and_grown_further() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    let data = &images(folder, "digits", 500);
    let new = images(folder, "new", ROWS);
    succeeds(
        folder,
        &["grow", data, "--budget", "100k-macs", "--epochs", "6"],
    );
    agree("a_cnn_is_taken_away_and_grown_further", folder, &new);

    let further = [
        "grow",
        data,
        "--from",
        "net.safetensors",
        "--budget",
        "200k-macs",
        "--epochs",
        "6",
    ];
    succeeds(folder, &[&further[..], &["--out", "further"]].concat());
    let wrong = [&further[..], &["--out", "wrong", "--model", "mlp"]].concat();
    fails(folder, &wrong, "another kind of network");

    let bytes = std::fs::read(folder.join("net.safetensors")).expect("written");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut views: Vec<(String, TensorView)> = file.tensors();
    views.retain(|(name, _)| name != "1.running_var");
    safetensors::serialize_to_file(views, None, &folder.join("less.safetensors")).expect("written");
    let less = ["grow", data, "--from", "less.safetensors", "--out", "less"];
    fails(folder, &less, "`1.running_var` is missing");
    let view = |data, shape| TensorView::new(Dtype::F32, shape, data).expect("sound");
    let two = [0_u8; 4 * 4];
    let other = [
        ("0.weight", view(&two, vec![2, 2])),
        ("1.weight", view(&two, vec![2, 2])),
    ];
    safetensors::serialize_to_file(other, None, &folder.join("other.safetensors"))
        .expect("written");
    let other = [
        "grow",
        data,
        "--from",
        "other.safetensors",
        "--out",
        "other",
    ];
    fails(folder, &other, "gives 2 numbers, where the data need 10");
}
