//! Disks that are full or broken: a study ends with an error that says so, keeps what was finished,
//! and goes on to the same results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::cluster::without_times;
use crate::common::succeeds;
use crate::injected::{Fault, happened, injected, is_possible};

/// One network that grows once.
const STUDY: &str = r#"
inherits = "digits"
compare = ["split"]
data.samples = 300
train.epochs = 2
grow.growths = 1

[methods.split]
label = "grown by random splits"
rate = 0.04

[quick]
seeds = 1
"#;

const RUN: [&str; 6] = ["reproduce", "--only", "own.toml", "--workers", "1", "--out"];

/// The arguments of a run in `folder`: its paths are whole ones, by which `strace` knows them.
fn arguments(folder: &Path) -> Vec<String> {
    let out = folder.join("results").to_string_lossy().into_owned();
    RUN.map(str::to_owned).into_iter().chain([out]).collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("own.toml"), STUDY).expect("writable");
    folder
}

/// All files below `folder`, and the folders.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        match entry.path().is_dir() {
            true => found.extend(below(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// What a study wrote, and what it wrote for a time.
fn written(results: &Path) -> Vec<PathBuf> {
    let mut paths = below(results);
    for path in paths.clone() {
        paths.push(path.with_added_extension("partial"));
        let unit = path.extension().is_some_and(|kind| kind == "json");
        if unit
            && path
                .parent()
                .is_some_and(|parent| parent.ends_with("units"))
        {
            for kind in ["checkpoint", "checkpoint.partial", "checkpoint.history"] {
                paths.push(path.with_extension(kind));
            }
        }
    }
    paths
}

fn kept(folder: &Path) -> BTreeMap<String, Value> {
    let units = below(&folder.join("results/own/units"));
    let units = units
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let results = units.map(|path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let value = serde_json::from_str(&fs::read_to_string(path).expect("readable"));
        (
            name.unwrap_or_default(),
            without_times(value.expect("JSON")),
        )
    });
    results.collect()
}

fn output(mut command: Command, folder: &Path) -> Output {
    command
        .current_dir(folder)
        .env_remove("BURGEON_DATA")
        .args(arguments(folder));
    command.output().expect("starts")
}

#[test]
fn every_write_of_a_study_may_fail() {
    if !is_possible() {
        println!("SKIPPED: there is no strace, or it may not look at processes");
        return;
    }
    let whole = folder();
    let all = arguments(whole.path());
    succeeds(
        whole.path(),
        &all.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let expected = kept(whole.path());
    assert_eq!(expected.len(), 1);
    let paths = written(&whole.path().join("results"));
    let faults = [
        ("write", "ENOSPC", "No space left on device"),
        ("fsync", "EIO", "Input/output error"),
        ("/^rename", "EROFS", "Read-only file system"),
    ];
    for (call, error, says) in faults {
        for when in 1.. {
            let fault = Fault { call, error, when };
            let failing = folder();
            let own = fs::canonicalize(failing.path()).expect("there");
            let there = |path: &PathBuf| own.join(path.strip_prefix(whole.path()).expect("below"));
            let paths: Vec<PathBuf> = paths.iter().map(there).collect();
            let log = own.join("strace.log");
            let program = Path::new(env!("CARGO_BIN_EXE_xtask"));
            let failed = output(injected(program, &paths, fault, &log), &own);
            let said = String::from_utf8_lossy(&failed.stderr);
            if !happened(&log) {
                assert!(failed.status.success() && when > 3, "{fault:?}: {said}");
                println!("{call}: {} times", when - 1);
                break;
            }
            assert!(!failed.status.success(), "{fault:?}: nothing was noticed");
            let is_told = said.contains("error: ") && said.contains(says);
            assert!(is_told && !said.contains("panicked"), "{fault:?}: {said}");
            let before = match own.join("results/own/units").is_dir() {
                true => kept(&own),
                false => BTreeMap::new(),
            };
            let mut again = arguments(&own);
            if own.join("results/manifest.json").is_file() {
                again.push("--resume".to_owned());
            }
            succeeds(&own, &again.iter().map(String::as_str).collect::<Vec<_>>());
            let after = kept(&own);
            assert_eq!(after, expected, "{fault:?}");
            assert!(before.iter().all(|(unit, value)| after[unit] == *value));
            for file in ["README.md", "index.html", "own/report.json"] {
                assert!(
                    own.join("results").join(file).is_file(),
                    "{fault:?}: {file}"
                );
            }
        }
    }
}
