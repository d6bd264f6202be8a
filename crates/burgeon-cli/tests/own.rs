//! Networks for a person's own data and machine: budgets of time, lanes, lists of layers, int8.

use std::path::Path;
use std::process::Command;

use burgeon_run::Runner;
use burgeon_run::command_line::lines;
use common::{fails, images, succeeds, table};
use python::python;
use serde_json::Value;

mod common;
#[path = "../../exchange/tests/networks/python.rs"]
mod python;

/// Rows that are predicted.
const ROWS: usize = 100;

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The page on one's own data.
fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/own-data.md");
    std::fs::read_to_string(path).expect("readable")
}

/// What `burgeon-run` says to `data` with the exported `network`, in JSON.
fn without_training(network: &Path, data: &Path) -> Vec<String> {
    let runner = Runner::open(network).expect("exported");
    let options = burgeon::data::own::ReadOptions::default();
    let records = burgeon::data::own::read(data, &options).expect("data");
    let predictions = runner.predict(&records).expect("columns");
    lines(&runner.schema().target, &predictions, true)
}

/// The largest difference between probabilities; classes are the same but where two are level.
fn apart(one: &[String], other: &[String]) -> f64 {
    assert_eq!((one.len(), other.len()), (ROWS, ROWS));
    let pairs = one.iter().zip(other).map(|(one, other)| {
        let [one, other]: [Value; 2] =
            [one, other].map(|line| serde_json::from_str(line).expect("JSON"));
        let probability = |line: &Value| line["probability"].as_f64().expect("a number");
        assert_eq!(one["class"], other["class"]);
        (probability(&one) - probability(&other)).abs()
    });
    pairs.fold(0.0, f64::max)
}

#[test]
fn a_budget_of_time_is_predicted_measured_and_kept() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    table(&folder.join("digits.csv"), 0, 400);
    let fit = |budget: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        let fit = ["grow", "digits.csv", "--epochs", "7", "--budget", budget];
        [&fit[..], more].concat()
    };
    let said = succeeds(folder, &fit("50us", &["--time", "1ms"]));
    assert!(
        said.contains("predicted") && said.contains("measured"),
        "{said}"
    );
    assert!(
        said.contains("single layers (flex, one sample, f32"),
        "{said}"
    );
    let timings = std::fs::read(folder.join("run/latency.json")).expect("kept");
    succeeds(folder, &fit("50us", &[]));
    let again = std::fs::read(folder.join("run/latency.json")).expect("kept");
    assert!(timings == again, "a run that goes on must not measure anew");
    let summary = json(&folder.join("run/summary.json"));
    let sizes = summary["sizes"].as_array().expect("sizes");
    assert_eq!(sizes.len(), 3, "{summary}");
    for size in sizes {
        let time = |which: &str| size["latency"][which].as_u64().expect("a time");
        assert!(time("predicted") <= 50_000, "{size}");
        assert!(time("measured") > 0 && size["macs"].as_u64() > Some(0));
    }
    let card = std::fs::read_to_string(folder.join("run/MODEL_CARD.md")).expect("a card");
    assert!(
        card.contains("- **Latency**: predicted by") && card.contains("| measured ms |"),
        "{card}"
    );
    let said = succeeds(folder, &["summary", "run"]);
    assert!(said.contains("MACs") && said.contains("measured"), "{said}");
    // Another fit decides otherwise, so the run does not go on by it.
    std::fs::remove_file(folder.join("run/latency.json")).expect("there");
    fails(folder, &fit("50us", &[]), "another folder");
    fails(folder, &fit("9k-params", &[]), "cost model");
    let small = fit("1us", &["--out", "small"]);
    fails(folder, &small, "of one forward pass of one sample is below");
    for wrong in ["0ms", "-2ms", "ms", "NaNms", "2 ms", "9e9ms", "2s"] {
        let budget = format!("--budget={wrong}");
        fails(folder, &["grow", "digits.csv", &budget], "5M-macs or 2ms");
    }
}

#[test]
fn widths_end_at_multiples_of_the_lanes() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    table(&folder.join("digits.csv"), 0, 300);
    let fit = |budget: &'static str, lanes: &'static str, out: &'static str| {
        [
            "grow",
            "digits.csv",
            "--epochs",
            "7",
            "--budget",
            budget,
            "--lanes",
            lanes,
            "--out",
            out,
        ]
    };
    // Room for four times the lanes, and for less than twice.
    for (budget, out) in [("9k-params", "wide"), ("1100-params", "narrow")] {
        succeeds(folder, &fit(budget, "8", out));
        let summary = json(&folder.join(out).join("summary.json"));
        let sizes = summary["sizes"].as_array().expect("sizes");
        assert!(sizes.len() >= 2, "{summary}");
        for size in &sizes[1..] {
            let widths = size["widths"].as_array().expect("widths");
            let mut widths = widths.iter().map(|pair| pair[1].as_u64().expect("a width"));
            assert!(widths.all(|width| width % 8 == 0), "{size}");
        }
    }
    fails(folder, &fit("9k-params", "0", "none"), "0 lanes");
    fails(folder, &fit("400-params", "8", "none"), "8 neurons");
    let text = "[[layers]]\nkind = \"linear\"\nwidth = 12\n";
    std::fs::write(folder.join("net.toml"), text).expect("writable");
    let listed = ["--model", "net.toml"];
    let listed = [&fit("9k-params", "8", "none")[..], &listed].concat();
    fails(folder, &listed, "line 2: width = 12 is no multiple of 8");
}

#[test]
fn the_listed_layers_of_the_documentation_are_grown_and_taken_away() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    let page = page();
    let example = page.split("```toml\n").nth(1).expect("an example");
    let example = example.split("```").next().expect("its end");
    std::fs::write(folder.join("net.toml"), example).expect("writable");
    let data = images(folder, "digits", 300);
    let new = images(folder, "new", ROWS);
    let fit = [
        "grow",
        &data,
        "--model",
        "net.toml",
        "--epochs",
        "6",
        "--budget",
        "30k-params",
    ];
    succeeds(folder, &fit);
    succeeds(folder, &["evaluate", "run", &new]);
    let predicted = succeeds(folder, &["predict", "run", &new, "--json"]);
    let predicted: Vec<String> = predicted.lines().map(str::to_owned).collect();
    let own = [
        "export",
        "run",
        "--format",
        "safetensors",
        "--out",
        "net.safetensors",
    ];
    succeeds(folder, &own);
    let run = without_training(&folder.join("net.safetensors"), &folder.join(&new));
    let apart = apart(&predicted, &run);
    assert!(apart < 1e-4, "burgeon-run differs by {apart}");
    let torch = [
        "export",
        "run",
        "--format",
        "pytorch",
        "--out",
        "t.safetensors",
    ];
    fails(folder, &torch, "--format onnx");
    std::fs::write(folder.join("predictions.jsonl"), predicted.join("\n")).expect("writable");
    agrees_in_onnx(folder, &new, &["--format", "onnx"], 1e-5);
    let path = folder.join("run/predictor.json");
    let text = std::fs::read_to_string(&path).expect("written");
    for (from, to) in [
        ("\"stride\": 1", "\"stride\": 0"),
        ("\"size\": 2", "\"size\": 0"),
        ("\"rate\": 0.1", "\"rate\": 2"),
        ("\"layer\": 2", "\"layer\": 99"),
    ] {
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("writable");
        fails(folder, &["predict", "run", &new], "predictor.json: layer ");
    }
    std::fs::write(&path, &text).expect("writable");
    // The list is part of the run.
    let other = example.replacen("width = 12", "width = 20", 1);
    std::fs::write(folder.join("net.toml"), other).expect("writable");
    fails(folder, &fit, "other layers");
}

/// onnxruntime answers `data` as `predictions.jsonl` says.
fn agrees_in_onnx(folder: &Path, data: &str, how: &[&str], most: f64) {
    let export = ["export", "run", "--out", "net.onnx", "--force"];
    succeeds(folder, &[&export[..], how].concat());
    let Some(python) = python("own", &["numpy", "onnx", "onnxruntime"]) else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported.py");
    let output = Command::new(python)
        .current_dir(folder)
        .arg(script)
        .args(["onnx", "net.onnx", data, "predictions.jsonl"])
        .output()
        .expect("it was found before");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let apart = String::from_utf8_lossy(&output.stdout);
    let apart: f64 = apart.trim().parse().expect("a number");
    assert!(apart <= most, "onnxruntime differs by {apart}");
}

#[test]
fn int8_weights_are_judged_and_predict_without_training_code() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    table(&folder.join("digits.csv"), 0, 600);
    table(&folder.join("new.csv"), 1000, ROWS);
    let fit = [
        "grow",
        "digits.csv",
        "--epochs",
        "9",
        "--budget",
        "6k-params",
    ];
    succeeds(folder, &fit);
    let float = [
        "export",
        "run",
        "--format",
        "safetensors",
        "--out",
        "f.safetensors",
    ];
    succeeds(folder, &float);
    let int8 = |format: &'static str, out: &'static str| {
        [
            "export", "run", "--int8", "--on", "new.csv", "--force", "--format", format, "--out",
            out,
        ]
    };
    let said = succeeds(folder, &int8("safetensors", "i.safetensors"));
    assert!(
        said.contains(" before, accuracy ") && said.contains(" after."),
        "{said}"
    );
    succeeds(folder, &int8("safetensors", "i.safetensors"));
    let card = std::fs::read_to_string(folder.join("run/MODEL_CARD.md")).expect("a card");
    assert_eq!(card.matches("## With int8 weights").count(), 1, "{card}");
    let length = |name: &str| std::fs::metadata(folder.join(name)).expect("written").len();
    assert!(2 * length("i.safetensors") < length("f.safetensors"));
    let [float, int8_run] = ["f.safetensors", "i.safetensors"]
        .map(|name| without_training(&folder.join(name), &folder.join("new.csv")));
    let predicted = succeeds(folder, &["predict", "run", "new.csv", "--json"]);
    let predicted: Vec<String> = predicted.lines().map(str::to_owned).collect();
    assert!(apart(&predicted, &float) < 1e-4);
    let rounded = apart(&predicted, &int8_run);
    assert!(rounded > 1e-5 && rounded < 0.2, "{rounded}");
    std::fs::write(folder.join("predictions.jsonl"), int8_run.join("\n")).expect("writable");
    let how = ["--format", "onnx", "--int8", "--on", "new.csv"];
    agrees_in_onnx(folder, "new.csv", &how, 1e-5);
    fails(
        folder,
        &int8("pytorch", "t.safetensors"),
        "--format onnx or safetensors",
    );
    let alone = [
        "export", "run", "--format", "onnx", "--out", "n.onnx", "--int8",
    ];
    fails(folder, &alone, "--on");
}

#[test]
fn a_list_of_layers_that_is_wrong_is_told_with_its_line() {
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    table(&folder.join("digits.csv"), 0, 60);
    let fit = ["grow", "digits.csv", "--model", "net.toml"];
    let linear = "[[layers]]\nkind = \"linear\"\nwidth = 8\n";
    let with = |text: &str| linear.to_owned() + text;
    for (text, expected) in [
        (
            with("[[layers]]\nkind = \"linear\"\nwidht = 8\n"),
            "line 6: unknown field `widht`",
        ),
        (with("colour = 3\n"), "line 4: unknown field `colour`"),
        (
            linear.replace('8', "0"),
            "line 3: width = 0: a whole number from 1 to 16384",
        ),
        (linear.replace('8', "-4"), "line 3: width = -4"),
        (linear.replace('8', "\"8\""), "line 3: invalid type"),
        (
            with("[[layers]]\nkind = \"lstm\"\n"),
            "line 5: kind = \"lstm\" is none of linear, conv",
        ),
        (
            with("[[layers]]\nkind = \"norm\"\nwidth = 3\n"),
            "line 6: a layer of kind norm has no width",
        ),
        (
            with("[[layers]]\nkind = \"linear\"\n"),
            "line 5: a layer of kind linear needs a width",
        ),
        (
            with(
                "[[layers]]\nkind = \"residual\"\nfrom = \"b\"\nname = \"a\"\n[[layers]]\nkind = \"norm\"\nname = \"b\"\n",
            ),
            "line 6: from = \"b\" does not come before this layer: a network has no cycles",
        ),
        (
            with("[[layers]]\nkind = \"residual\"\nname = \"a\"\nfrom = \"a\"\n"),
            "line 7: from = \"a\" does not come before",
        ),
        (
            with("[[layers]]\nkind = \"residual\"\nfrom = \"x\"\n"),
            "no layer has this name",
        ),
        (
            with("[[layers]]\nkind = \"residual\"\n"),
            "line 5: a layer of kind residual needs `from`",
        ),
        (
            linear.replace("width = 8", "width = 8\nname = \"a\"")
                + "[[layers]]\nkind = \"linear\"\nwidth = 9\n[[layers]]\nkind = \"residual\"\nfrom = \"a\"\n",
            "line 9: it adds a row of 8 to a row of 9",
        ),
        (
            with("[[layers]]\nkind = \"conv\"\nwidth = 2\n"),
            "line 5: a convolution reads maps",
        ),
        (
            with("[[layers]]\nkind = \"conv\"\nwidth = 2\nkernel = 4\n"),
            "line 7: kernel = 4: an odd",
        ),
        (
            with("[[layers]]\nkind = \"dropout\"\nrate = 1.0\n"),
            "line 6: rate = 1: from 0",
        ),
        (
            with("[[layers]]\nkind = \"activation\"\nfunction = \"step\"\n"),
            "line 6: \"step\" is no activation",
        ),
        (
            "activation = \"mish\"\n".to_owned() + linear,
            "line 1: \"mish\" is no activation",
        ),
        (
            "[[layers]]\nkind = \"norm\"\n".to_owned(),
            "no layer has a width that could grow",
        ),
        ("layers = []\n".to_owned(), "no layer has a width"),
        (String::new(), "missing field `layers`"),
        (with("[[layers\n"), "line 4"),
    ] {
        std::fs::write(folder.join("net.toml"), &text).expect("writable");
        fails(folder, &fit, expected);
    }
    assert!(!folder.join("run").exists());
    fails(
        folder,
        &["grow", "digits.csv", "--model", "no.toml"],
        "no.toml",
    );
    fails(
        folder,
        &["grow", "digits.csv", "--model", "lenet"],
        "mlp, cnn, or a file",
    );
    std::fs::write(folder.join("net.toml"), linear).expect("writable");
    let small = ["--budget", "100-params"];
    fails(
        folder,
        &[&fit[..], &small].concat(),
        "weights of the network to start from: raise it",
    );
    fails(
        folder,
        &[&fit[..], &["--growths", "9"]].concat(),
        "9 growths",
    );
    fails(
        folder,
        &[&fit[..], &["--training-macs", "0"]].concat(),
        "at least 1, as 2e9",
    );
}

#[test]
#[cfg(not(feature = "dashboard"))]
fn a_dashboard_that_is_not_built_in_says_how_to_build_it() {
    let held = tempfile::tempdir().expect("a folder");
    table(&held.path().join("digits.csv"), 0, 60);
    let watch = ["grow", "digits.csv", "--watch"];
    fails(held.path(), &watch, "--features dashboard");
}

/// Every option of the commands on one's own data is on the page.
#[test]
fn every_option_is_documented() {
    let page = page();
    for command in ["grow", "predict", "evaluate", "export"] {
        let help = succeeds(Path::new("."), &[command, "--help"]);
        let words = help.split(|c: char| c.is_whitespace() || c == ',' || c == '`');
        for option in words.filter(|word| word.starts_with("--") && *word != "--help") {
            assert!(
                page.contains(option),
                "`{command} {option}` is not on the page"
            );
        }
    }
}
