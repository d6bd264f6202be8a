//! `burgeon-run` as a user meets it: predictions, and files that are none of its own.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_burgeon-run"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn fails(folder: &Path, arguments: &[&str], part: &str) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(said.contains(part) && !said.contains("panicked"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

/// Whether `a` is above its mean of 10: the logits are `∓(a − 10) / 2`.
const DESCRIPTION: &str = r#"{
    "format": "safetensors", "precision": "int8", "weights": "net.safetensors", "kind": "mlp",
    "parameters": 4, "input_shape": [1], "output": "logits",
    "steps": [{"kind": "linear", "layer": "output", "inputs": 1, "outputs": 2}],
    "inputs": {"columns": [{"number": {"column": "a", "mean": 10.0, "deviation": 2.0}}]},
    "target": {"classes": {"column": "size", "names": ["big, or so", "small"]}}
}"#;

fn write(path: &Path, description: &str, weight: [i8; 2]) {
    let bytes: Vec<u8> = weight.iter().map(|value| value.to_le_bytes()[0]).collect();
    let floats = |values: [f32; 2]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let (scale, bias) = (floats([0.01, 0.02]), floats([0.0, 0.0]));
    let view = |dtype, shape: &[usize], bytes| {
        TensorView::new(dtype, shape.to_vec(), bytes).expect("sound")
    };
    let views = [
        ("output.weight", view(Dtype::I8, &[1, 2], &bytes)),
        ("output.weight.scale", view(Dtype::F32, &[2], &scale)),
        ("output.bias", view(Dtype::F32, &[2], &bias)),
    ];
    let metadata = [("format", "burgeon"), ("burgeon", description)];
    let metadata: HashMap<String, String> = metadata
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    serialize_to_file(views, Some(metadata), path).expect("writable");
}

#[test]
fn rows_are_predicted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    write(&path.join("net.safetensors"), DESCRIPTION, [100, -50]);
    std::fs::write(path.join("new.csv"), "b,a\nx,14\ny,9\n").expect("writable");
    let output = run(path, &["net.safetensors", "new.csv"]);
    let said = String::from_utf8_lossy(&output.stdout);
    // σ(4) and σ(1).
    assert_eq!(
        said,
        "size,probability\n\"big, or so\",0.9820\nsmall,0.7311\n"
    );
    let output = run(path, &["net.safetensors", "new.csv", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with("{\"class\":\"big, or so\",\"probability\":0.98"),
        "{said}"
    );
    std::fs::write(path.join("other.csv"), "b,c\nx,14\n").expect("writable");
    fails(
        path,
        &["net.safetensors", "other.csv"],
        "the column `a` is missing",
    );
    fails(path, &["net.safetensors", "none.csv"], "none.csv");
}

#[test]
fn files_that_are_none_of_its_own_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("new.csv"), "a,b\n14,1\n").expect("writable");
    let told = |description: &str, part: &str| {
        write(&path.join("net.safetensors"), description, [1, 1]);
        fails(path, &["net.safetensors", "new.csv"], part);
    };
    told("{", "export the network again");
    told(
        &DESCRIPTION.replace("\"outputs\": 2", "\"outputs\": 3"),
        "has shape [1, 2], expected [1, 3]",
    );
    told(
        &DESCRIPTION.replace("\"small\"", "\"small\", \"none\""),
        "gives 2 numbers, where 3",
    );
    told(
        &DESCRIPTION.replace("[1], \"output\"", "[2], \"output\""),
        "of another shape",
    );
    told(&DESCRIPTION.replace("2.0", "-2.0"), "above 0");
    told(
        &DESCRIPTION.replace("\"linear\"", "\"lstm\""),
        "unknown variant `lstm`",
    );
    // What a file says gives no orders to the terminal.
    told(
        &DESCRIPTION.replace("\"linear\"", "\"\\u001b[2J\""),
        r"unknown variant `\u{1b}[2J`",
    );
    told(
        &DESCRIPTION
            .replace("[1], \"output\"", "[1, 8589934592, 2147483648], \"output\"")
            .replace(
                r#"{"columns": [{"number": {"column": "a", "mean": 10.0, "deviation": 2.0}}]}"#,
                r#"{"images": {"shape": [1, 8589934592, 2147483648], "mean": [0.0], "deviation": [1.0]}}"#,
            ),
        "numbers are meant",
    );
    std::fs::write(path.join("rubbish"), "rubbish").expect("writable");
    fails(path, &["rubbish", "new.csv"], "--format safetensors");
    fails(path, &["nowhere", "new.csv"], "nowhere");
    let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).expect("sound");
    serialize_to_file([("x", view)], None, &path.join("other")).expect("writable");
    fails(path, &["other", "new.csv"], "its metadata do not say so");
}
