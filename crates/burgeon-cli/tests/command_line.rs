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
    let needs = table.split("What `cuda` devices need").nth(1);
    let needs = needs.expect("a table of needs");
    for need in ["kernel module", "libcuda", "libdevice"] {
        let row = needs.lines().find(|line| line.contains(need));
        let row = row.expect("a row for each need");
        assert!(row.contains("there") || row.contains("missing"), "{row}");
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

#[test]
fn a_network_is_placed_on_boards() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let vgg = [
        "accelerator",
        "--model",
        "vgg-11",
        "--input",
        "3x32x32",
        "--classes",
        "10",
    ];
    let with = |more: &[&'static str]| [&vgg[..], &["--board", "zcu102"], more].concat();
    let pool = ["--pool", "zcu102:1,pynq-z1:2", "--roofline", "roofline.svg"];
    let tables = succeeds(path, &with(&pool));
    for said in [
        "stage5.conv2",
        "bound by",
        "of 2520 DSP slices",
        "nothing was synthesised",
    ] {
        assert!(tables.contains(said), "no `{said}` in {tables}");
    }
    let widest = tables.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{tables}");
    let drawing = std::fs::read_to_string(path.join("roofline.svg")).expect("written");
    assert!(drawing.starts_with("<svg") && drawing.ends_with("</svg>"));

    let json = succeeds(path, &with(&["--json", "--pool", "zcu102:2"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let layers = json["layers"].as_array().expect("layers");
    let sum = |key: &str| {
        layers
            .iter()
            .filter_map(|layer| layer[key].as_f64())
            .sum::<f64>()
    };
    assert_eq!(Some(sum("cycles")), json["cycles"].as_f64());
    // Convolutions of VGG-11 for 32×32 images, and its linear layer.
    assert_eq!(sum("macs"), 152_764_416.0 + 5_120.0);
    let alone = json["seconds"].as_f64().expect("a number");
    let pipeline = &json["pipeline"];
    assert_eq!(pipeline["stages"].as_array().map(Vec::len), Some(2));
    assert!(pipeline["period"].as_f64() < Some(alone));

    let board = r#"{"name":"own","dsp":64,"bram18":280,"port_bits":256,"megahertz":200,"watts":3}"#;
    std::fs::write(path.join("own.json"), board).expect("writable");
    let own = [&vgg[..], &["--board", "own.json"]].concat();
    assert!(succeeds(path, &own).contains("of 64 DSP slices"));
    fails(path, &[&vgg[..], &["--board", "zcu999"]].concat(), "zcu102");
    fails(path, &with(&["--pool", "zcu102:two"]), "zcu102:2,pynq-z1:1");
    fails(path, &with(&["--pool", "zcu102:0"]), "at least one board");
    fails(
        path,
        &with(&["--pool", "zcu102:1", "--link", "0"]),
        "above 0 words",
    );
    std::fs::write(path.join("none.json"), "{}").expect("writable");
    fails(
        path,
        &[&vgg[..], &["--board", "none.json"]].concat(),
        "none.json",
    );
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

#[test]
fn programs_are_run_by_their_oracles() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let sorted = succeeds(path, &["npi", "run", "quicksort", "8", "2", "1"]);
    assert!(sorted.starts_with("8 2 1 -> 1 2 8\n"), "{sorted}");
    let trace = ["npi", "run", "addition", "7", "5", "--trace"];
    let trace = succeeds(path, &trace);
    let lines = [
        "ADD() [in1=7 in2=5 carry=END out=END] ADD1()",
        "  ADD1() [in1=7 in2=5 carry=END out=END] WRITE(OUT, 2)",
        "7 + 5 = 12",
    ];
    assert!(lines.iter().all(|line| trace.contains(line)), "{trace}");
    for form in ["none", "full"] {
        let graph = [
            "npi",
            "run",
            "topological",
            "3",
            "3-1",
            "1-2",
            "--recursion",
            form,
        ];
        let order = succeeds(path, &graph);
        assert!(order.contains("-> 3 1 2"), "{order}");
    }
}

#[test]
fn problems_that_are_none_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let told: [(&[&str], &str); 9] = [
        (&["run", "quicksort", "8", "12"], "`12` is not a digit"),
        (&["run", "addition", "1", "22"], "1 and 2 digits"),
        (
            &["run", "topological", "2", "1-2", "2-1"],
            "the cycle 1 -> 2 -> 1",
        ),
        (&["run", "heapsort", "1"], "unknown task `heapsort`"),
        (
            &["run", "addition", "1", "2", "--recursion", "partial"],
            "no form",
        ),
        (
            &["run", "bubble", "3", "1", "--max-steps", "5"],
            "after 5 steps",
        ),
        (&["run", "bubble", "1", "--weights", "nowhere"], "nowhere"),
        (&["prove", "bubble-raw", "--weights", "w"], "prove `bubble`"),
        (
            &["train", "quicksort", "--hidden", "0", "--out", "w"],
            "at least 1 unit",
        ),
    ];
    for (arguments, expected) in told {
        fails(path, &[&["npi"][..], arguments].concat(), expected);
    }
}

#[test]
fn a_network_is_trained_proved_and_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let train = ["npi", "train", "bubble", "--hidden", "32", "--out", "w"];
    let said = succeeds(path, &train);
    assert!(said.contains("proved; weights in w"), "{said}");
    let proof = succeeds(path, &["npi", "prove", "bubble", "--weights", "w"]);
    assert!(proof.contains("all 76 prefixes of the 31 calls"), "{proof}");
    let longer = ["npi", "prove", "bubble", "--weights", "w", "--size", "2"];
    let proof = succeeds(path, &longer);
    assert!(proof.contains("all 71 prefixes of the 29 calls"), "{proof}");
    let run = ["npi", "run", "bubble", "3", "1", "2", "--weights", "w"];
    assert!(succeeds(path, &run).contains("3 1 2 -> 1 2 3"));
    let other = ["npi", "prove", "quicksort", "--weights", "w"];
    fails(path, &other, "a network for quicksort");
}
