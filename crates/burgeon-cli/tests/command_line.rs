//! The command line as a user meets it: output, exit codes, bad input.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burgeon"));
    command.current_dir(folder).args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments)
        .output()
        .expect("the program starts")
}

fn fails(folder: &Path, arguments: &[&str], expected: &str) {
    let output = run(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(text.contains(expected), "{arguments:?} says: {text}");
    assert!(!text.contains("panicked"), "{text}");
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} says: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_doctor_says_which_devices_are_usable() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = succeeds(folder.path(), &["doctor"]);
    for device in ["flex", "ndarray"] {
        let row = table.lines().find(|line| line.contains(device));
        let row = row.expect("a row for each device");
        assert!(
            row.contains(" usable") && row.contains("166 of 166"),
            "{row}"
        );
    }
    let cuda = table.lines().find(|line| line.contains("cuda"));
    let cuda = cuda.expect("a row for CUDA");
    if cfg!(not(feature = "cuda")) {
        assert!(cuda.contains("not usable"), "{cuda}");
        assert!(table.contains("--features cuda"), "{table}");
    }
}

#[test]
fn costs_are_those_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let input = ["cost", "--model", "mobilenet-v1", "--input", "3x224x224"];
    let table = succeeds(path, &input);
    assert!(
        table.contains("4,231,976") && table.contains("568,740,352"),
        "{table}"
    );
    let timed = [
        "cost",
        "--model",
        "vgg-11",
        "--input",
        "3x32x32",
        "--classes",
        "10",
    ];
    let table = succeeds(
        path,
        &[&timed[..], &["--device", "flex", "--timings", "t.json"]].concat(),
    );
    assert!(table.contains("latency,"), "{table}");
    let text = std::fs::read_to_string(path.join("t.json")).expect("written");
    let latency: burgeon::core::cost::Latency = serde_json::from_str(&text).expect("reads");
    assert_eq!(latency.device(), "flex");
    let unknown = ["cost", "--model", "lenet", "--input", "1x28x28"];
    fails(path, &unknown, "unknown network `lenet`");
    let short = ["cost", "--model", "vgg-11", "--input", "32x32"];
    fails(path, &short, "give CxHxW");
    let small = ["cost", "--model", "vgg-11", "--input", "3x8x8"];
    fails(path, &small, "too small");
}

/// Sizes whose products leave 64 bits, or the memory: an error, and no wrong number.
#[test]
fn absurd_sizes_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    for input in ["3x4294967296x4294967296", "3x224x18446744073709551615"] {
        for model in ["mobilenet-v1", "resnet-18", "vgg-11", "vgg-19"] {
            let arguments = ["cost", "--model", model, "--input", input];
            fails(path, &arguments, "give a smaller input");
        }
    }
    let longer = "3x224x18446744073709551616";
    let arguments = ["cost", "--model", "vgg-11", "--input", longer];
    fails(path, &arguments, "no input size");
    let classes = [
        "cost",
        "--model",
        "vgg-11",
        "--input",
        "3x32x32",
        "--classes",
        "18446744073709551615",
    ];
    fails(path, &classes, "give a smaller input");
    let wide = [
        "cost",
        "--model",
        "vgg-11",
        "--input",
        "3x6144x6144",
        "--device",
        "flex",
    ];
    fails(path, &wide, "cannot be timed");
    let folder = ["--device", "flex", "--timings", "."];
    let arguments = ["cost", "--model", "vgg-11", "--input", "3x32x32"];
    fails(path, &[&arguments[..], &folder].concat(), "Is a directory");
}

/// A full device is an error; a reader that has seen enough is none.
#[test]
fn output_that_cannot_be_written_is_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["cost", "--model", "vgg-11", "--input", "3x32x32"];
    if cfg!(target_os = "linux") {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let output = command(folder.path(), &arguments)
            .stdout(full.expect("on Linux"))
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the output cannot be written"), "{said}");
        let full = OpenOptions::new().write(true).open("/dev/full");
        let unknown = ["cost", "--model", "lenet", "--input", "1x28x28"];
        let mut silent = command(folder.path(), &unknown);
        let status = silent.stderr(full.expect("on Linux")).status();
        assert_eq!(status.expect("the program starts").code(), Some(1));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command(folder.path(), &arguments)
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn tables_are_a_hundred_columns_wide_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let cost = ["cost", "--model", "mobilenet-v1", "--input", "3x224x224"];
    for arguments in [&["doctor"][..], &cost] {
        let table = succeeds(folder.path(), arguments);
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{table}");
    }
}

#[test]
fn a_weights_file_is_summarised() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let views = [
        ("blocks.10.weight", vec![3, 4], Dtype::F32, 48),
        ("blocks.2.weight", vec![2, 2, 3], Dtype::F16, 24),
        ("step", vec![], Dtype::F64, 8),
        ("none", vec![0, 7], Dtype::F32, 0),
    ];
    let bytes = [0_u8; 48];
    let views = views.map(|(name, shape, dtype, size)| {
        let view = TensorView::new(dtype, shape, &bytes[..size]);
        (name, view.expect("fits"))
    });
    serialize_to_file(views, None, &path.join("w.safetensors")).expect("writable");
    let table = succeeds(path, &["summary", "w.safetensors"]);
    let row = |name: &str| {
        let at = table.lines().position(|line| line.contains(name));
        at.unwrap_or_else(|| panic!("no {name} in {table}"))
    };
    assert!(row("blocks.2.weight") < row("blocks.10.weight"), "{table}");
    assert!(table.contains("[2, 2, 3]") && table.contains("F16"));
    let total = table.lines().nth(row("total")).expect("there");
    assert!(total.contains("25") && total.contains("80"), "{total}");
    let json = succeeds(path, &["summary", "w.safetensors", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["count"], &json["bytes"]), (&25.into(), &80.into()));
    assert_eq!(json["parameters"][0]["shape"], serde_json::json!([2, 2, 3]));
    std::fs::write(path.join("rubbish"), "rubbish").expect("writable");
    fails(path, &["summary", "rubbish"], "not a safetensors file");
    fails(path, &["summary", "nowhere"], "nowhere: No such file");
}
