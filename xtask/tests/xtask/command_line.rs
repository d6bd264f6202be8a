//! The command line as a user meets it: output, exit codes, bad input, resuming.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{command, fails, succeeds};

fn golden() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/testdata/golden");
    root.to_string_lossy().into_owned()
}

#[test]
fn devices_that_are_not_there_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    for device in ["cuda:99", "wgpu:99"] {
        let arguments = ["reproduce", "--only", "digits", "--device", device];
        fails(folder.path(), &arguments, &device[..4]);
    }
    fails(
        folder.path(),
        &["golden", &golden(), "--device", "gpu"],
        "unknown device `gpu`",
    );
}

#[test]
fn lists_say_what_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = succeeds(folder.path(), &["reproduce", "--list"]);
    for name in [
        "toy",
        "digits",
        "fashion",
        "s3d-toy",
        "fast-vs-exact",
        "energy-digits",
        "methods-rates",
    ] {
        assert!(list.contains(name), "{list}");
    }
    let data = succeeds(folder.path(), &["data", "list"]);
    assert!(
        data.contains("embedded") && data.contains("data fetch mnist"),
        "{data}"
    );
    let widest = [&list, &data].map(|table| {
        let lines = table.lines().map(|line| line.chars().count());
        lines.max().unwrap_or(0)
    });
    assert!(widest.iter().all(|width| *width <= 100), "{widest:?}");
    assert!(succeeds(folder.path(), &["data", "verify"]).contains("optdigits: every hash"));
}

#[test]
fn bad_input_fails_with_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fails(
        path,
        &["reproduce", "--only", "nonsense"],
        "unknown experiment `nonsense`",
    );
    fails(
        path,
        &["reproduce", "--device", "abacus"],
        "unknown device `abacus`",
    );
    fails(
        path,
        &["reproduce", "--seeds", "0"],
        "--seeds must be at least 1",
    );
    fails(
        path,
        &["reproduce", "--only", "toy", "--out", "/proc/none"],
        "/proc/none",
    );
    fails(
        path,
        &["reproduce", "--only", "fashion", "--seeds", "1"],
        "data fetch fashion-mnist",
    );
    fails(
        path,
        &["reproduce", "--scale", "cpu"],
        "choose by --only among co-exploration-chains, cifar",
    );
    fails(
        path,
        &["reproduce", "--only", "toy", "--scale", "cpu"],
        "toy has no scale `cpu`",
    );
    fails(
        path,
        &["reproduce", "--only", "toy", "--set", "grow.growths=8"],
        "cannot be changed",
    );
    fails(
        path,
        &["reproduce", "--only", "methods", "--set", "grow.stepz=8"],
        "unknown field `stepz`",
    );
    fails(path, &["reproduce", "--only", "mine.toml"], "mine.toml");
    std::fs::write(
        path.join("mine.toml"),
        "inherits = \"methods\"\nseeds = 0\n",
    )
    .expect("writable");
    fails(
        path,
        &["reproduce", "--only", "mine.toml", "--set", "seeds=0"],
        "`seeds` must be at least 1",
    );
    fails(path, &["data", "fetch", "imagenet"], "unknown data set");
    fails(path, &["golden", "nowhere"], "nowhere");
    std::fs::create_dir(path.join("full")).expect("writable");
    std::fs::write(path.join("full/thesis.tex"), "mine").expect("writable");
    fails(
        path,
        &["reproduce", "--only", "toy", "--out", "full"],
        "not empty",
    );
    let kept = std::fs::read_to_string(path.join("full/thesis.tex")).expect("still there");
    assert_eq!(kept, "mine");
}

#[test]
fn golden_values_pass_and_wrong_ones_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let table = succeeds(path, &["golden", &golden(), "--device", "ndarray"]);
    assert!(table.contains("losses after splits") && !table.contains("OUT OF BOUNDS"));
    for entry in std::fs::read_dir(golden()).expect("there") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), path.join(entry.file_name())).expect("writable");
    }
    let index = path.join("index.json");
    let text = std::fs::read_to_string(&index).expect("readable");
    let wrong = text.replacen("1.1465446260073022", "1.1465446360073022", 1);
    assert_ne!(text, wrong);
    std::fs::write(&index, wrong).expect("writable");
    fails(path, &["golden", "."], "out of bounds");
    std::fs::write(path.join("rbf_regression_1d.safetensors"), "rubbish").expect("writable");
    fails(path, &["golden", "."], "not a safetensors file");
}

/// A study of one's own runs from its file, and is not taken up again with other settings.
#[test]
fn a_file_of_ones_own_is_a_study() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let text = "inherits = \"methods\"\ntitle = \"mine\"\ncompare = [\"scratch\", \"new\"]\n\
                net = { kind = \"mlp\", target = 8 }\ntrain.epochs = 3\n";
    std::fs::write(path.join("mine.toml"), text).expect("writable");
    let run = ["reproduce", "--only", "mine.toml", "--seeds", "1"];
    let table = succeeds(path, &run);
    assert!(table.contains("mine (scale quick, 1 seed"), "{table}");
    assert!(path.join("results/mine/mine.csv").is_file());
    assert!(path.join("results/mine/units/new,0.04-0.json").is_file());
    let manifest = path.join("results/manifest.json");
    let manifest = std::fs::read_to_string(manifest).expect("a manifest");
    assert!(manifest.contains("\"epochs\": 3"), "{manifest}");
    let other = [&run[..], &["--set", "train.epochs=4", "--resume"]].concat();
    let failed = command(path, &other).output().expect("it starts");
    assert!(!failed.status.success());
}

/// A killed run resumes, with the units it had finished, to the result of a run that
/// was never killed.
#[test]
fn a_killed_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let base = ["reproduce", "--only", "toy", "--seeds", "2"];
    let mut child = command(path, &base)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let units = path.join("results/toy/units");
    let finished = || {
        let entries = std::fs::read_dir(&units).map(|entries| entries.flatten().collect());
        let entries: Vec<_> = entries.unwrap_or_default();
        entries
            .iter()
            .filter(|e| e.path().extension().is_some_and(|x| x == "json"))
            .count()
    };
    let started = Instant::now();
    while finished() == 0 && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("running");
    child.wait().expect("ended");
    let kept = finished();
    assert!(kept > 0, "no unit finished");
    fails(path, &base, "--resume");
    let other = ["reproduce", "--only", "toy", "--seeds", "3", "--resume"];
    fails(path, &other, "other settings");
    succeeds(path, &[&base[..], &["--resume"]].concat());
    let table = |folder: &str| {
        let csv = path.join(folder).join("toy/toy.csv");
        std::fs::read_to_string(csv).expect("written")
    };
    succeeds(path, &[&base[..], &["--out", "whole"]].concat());
    assert_eq!(table("results"), table("whole"));
    for file in [
        "toy.md",
        "toy-loss-against-width.png",
        "toy-loss-against-width.svg",
    ] {
        assert!(path.join("results/toy").join(file).is_file(), "{file}");
    }
    let manifest = std::fs::read_to_string(path.join("results/manifest.json")).expect("written");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["finished"], true);
    assert_eq!(manifest["burn"], "0.22.1");
    // A second run sets the first aside.
    succeeds(path, &base);
    let earlier = std::fs::read_dir(path.join("results/earlier")).expect("set aside");
    assert_eq!(earlier.count(), 1);
}
