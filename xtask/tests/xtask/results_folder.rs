//! The folder of a run's results: one run at a time, none overwritten, none mixed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{command, fails, succeeds};
use serde_json::{Value, json};

const RUN: [&str; 5] = ["reproduce", "--only", "toy", "--seeds", "1"];
const RESUME: [&str; 6] = ["reproduce", "--only", "toy", "--seeds", "1", "--resume"];

fn unit_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("results/toy/units"));
    let entries = entries.into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .collect()
}

/// A run in `folder` that has finished its first unit, and goes on.
fn started(folder: &Path, arguments: &[&str]) -> Child {
    let child = command(folder, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let since = Instant::now();
    while unit_files(folder).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(120), "no unit ends");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("readable");
    serde_json::from_str(&text).expect("JSON")
}

/// Changes the JSON in `path` for as long as `check` takes.
fn with_changed(path: &Path, change: impl Fn(&mut Value), check: impl Fn()) {
    let kept = fs::read(path).expect("readable");
    let mut value = read(path);
    change(&mut value);
    fs::write(path, value.to_string()).expect("writable");
    check();
    fs::write(path, kept).expect("writable");
}

/// Every file below `folder` with its content.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.clone(), fs::read(path).expect("readable")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_run_is_alone_in_its_folder_and_goes_on_only_as_what_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut child = started(path, &RUN);
    // A second run is refused for as long as the first lives.
    for arguments in [&RUN[..], &RESUME] {
        fails(path, arguments, "another run writes to results");
    }
    child.kill().expect("running");
    child.wait().expect("ended");
    let manifest = path.join("results/manifest.json");
    let unit = unit_files(path).pop().expect("the first one");
    let before = contents(path);

    let another = |run: &mut Value| run["recipes"]["toy"]["net"]["step"] = json!(0.07);
    with_changed(&manifest, another, || {
        let said = fails(path, &RESUME, "another recipe");
        assert!(
            said.contains("toy.net.step: 0.07 there, 0.05 here"),
            "{said}"
        );
    });
    let older = |run: &mut Value| run["recipes"] = json!({});
    with_changed(&manifest, older, || {
        fails(path, &RESUME, "toy: nothing there");
    });
    let name = unit.file_name().and_then(|name| name.to_str());
    let name = name.expect("a name");
    let another = |unit: &mut Value| unit["recipe"]["net"]["widths"] = json!(9);
    with_changed(&unit, another, || {
        let said = fails(path, &RESUME, name);
        assert!(said.contains("net.widths: 9 there, 8 here"), "{said}");
    });
    let fewer = ["reproduce", "--only", "toy", "--seeds", "2", "--resume"];
    let said = fails(path, &fewer, "other settings");
    assert!(said.contains("settings.seeds: 1 there, 2 here"), "{said}");

    // A kept unit of another shape, by another revision of the code: both are said, and nothing
    // is computed.
    let shapes = [
        json!({}),
        json!({"recipe": read(&unit)["recipe"], "result": {}}),
    ];
    for shape in shapes {
        with_changed(
            &unit,
            |unit| *unit = shape.clone(),
            || {
                let revised = |run: &mut Value| run["git_revision"] = json!("0123abc");
                with_changed(&manifest, revised, || {
                    let said = fails(path, &RESUME, "delete it to run it again");
                    assert!(said.contains(name), "{said}");
                    assert!(said.contains("begun by revision 0123abc"), "{said}");
                });
            },
        );
    }
    let finished = |run: &mut Value| run["finished"] = json!(true);
    with_changed(&manifest, finished, || {
        let page = path.join("results/index.html");
        fs::write(&page, "its page").expect("writable");
        let kept = contents(path);
        let said = succeeds(path, &RESUME);
        assert!(said.contains("is finished"), "{said}");
        assert_eq!(contents(path), kept);
        fails(path, &fewer, "other settings");
        fs::remove_file(page).expect("there");
    });
    assert_eq!(contents(path), before);
}

#[test]
fn results_go_to_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("taken"), "mine").expect("writable");
    let arguments = ["reproduce", "--only", "toy", "--out", "taken"];
    fails(folder.path(), &arguments, "this is a file, not a folder");
    let kept = fs::read_to_string(folder.path().join("taken"));
    assert_eq!(kept.expect("still there"), "mine");
}

#[test]
fn more_seeds_than_can_be_counted_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for seeds in ["18446744073709551615", "9223372036854775807"] {
        let arguments = ["reproduce", "--only", "toy", "--seeds", seeds];
        fails(folder.path(), &arguments, "more than can be counted");
    }
    assert!(!folder.path().join("results").exists());
}

/// A million seeds take no time before the first, and none after Ctrl-C.
#[test]
#[cfg(unix)]
fn an_interrupt_ends_a_run_of_any_length_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let arguments = ["reproduce", "--only", "toy", "--seeds", "1000000"];
    let mut child = started(path, &arguments);
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.expect("kill runs").success());
    let since = Instant::now();
    let status = loop {
        match child.try_wait().expect("our own") {
            Some(status) => break status,
            None if since.elapsed() > Duration::from_secs(8) => {
                child.kill().expect("running");
                panic!("it did not end in 8 s");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(status.code(), Some(1));
    let manifest = read(&path.join("results/manifest.json"));
    assert_eq!(manifest["finished"], false);
}
