//! Units as commands: alone, in a pool, killed, and through a scheduler they come to the same bits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{command, fails, succeeds};
use crate::python::python;
use serde_json::Value;

const TOY: [&str; 4] = ["toy", "--seeds", "2", "--out"];

/// The arguments of a command of `units`, without the program.
fn arguments(line: &str) -> Vec<&str> {
    line.split(' ').skip(1).collect()
}

fn units(folder: &Path, out: &str, more: &[&str]) -> Vec<String> {
    let arguments = [&["units"], &TOY[..], &[out], more].concat();
    let lines = succeeds(folder, &arguments);
    lines.lines().map(str::to_owned).collect()
}

/// The results that are kept in `out`, by the unit's name; times are no part of what is compared.
fn kept(folder: &Path, out: &str) -> BTreeMap<String, Value> {
    let folder = folder.join(out).join("toy/units");
    let entries = fs::read_dir(&folder).expect("readable").flatten();
    let results = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).expect("readable");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        (name, without_times(value))
    });
    results.collect()
}

pub fn without_times(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter(|(name, _)| !name.contains("seconds"));
            Value::Object(
                kept.map(|(name, value)| (name, without_times(value)))
                    .collect(),
            )
        }
        Value::Array(values) => values.into_iter().map(without_times).collect(),
        other => other,
    }
}

/// All units in one process, as `reproduce` runs them.
fn reference(folder: &Path) -> BTreeMap<String, Value> {
    let arguments = [
        "reproduce",
        "--only",
        "toy",
        "--seeds",
        "2",
        "--out",
        "pool",
    ];
    succeeds(folder, &arguments);
    kept(folder, "pool")
}

#[test]
fn units_alone_killed_or_in_a_pool_come_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let lines = units(path, "alone", &[]);
    assert_eq!(lines.len(), units(path, "alone", &["--missing"]).len());
    for (index, line) in lines.iter().enumerate() {
        let mut first = command(path, &arguments(line));
        let first = first.env("RAYON_NUM_THREADS", "1").stderr(Stdio::null());
        let mut child = first.spawn().expect("the program starts");
        if index == 0 {
            // Killed on its way, and given again.
            let since = Instant::now();
            let begun = || fs::read_dir(path.join("alone/toy/units")).map_or(0, Iterator::count);
            while begun() == 0 {
                assert!(since.elapsed() < Duration::from_secs(60), "nothing begins");
                std::thread::sleep(Duration::from_millis(1));
            }
            child.kill().expect("known");
            child.wait().expect("ended");
            succeeds(path, &arguments(line));
        } else {
            assert!(child.wait().expect("ended").success(), "{line}");
        }
    }
    assert_eq!(units(path, "alone", &["--missing"]), [""; 0]);
    // A unit that has its result is not run again.
    let written = || {
        let entries = fs::read_dir(path.join("alone/toy/units")).expect("readable");
        let times = entries.map(|entry| entry?.metadata()?.modified());
        let times: Result<Vec<_>, _> = times.collect();
        times.expect("readable")
    };
    let before = written();
    succeeds(path, &arguments(&lines[0]));
    assert_eq!(written(), before);
    assert_eq!(kept(path, "alone"), reference(path));
    let resumed = [
        "reproduce",
        "--only",
        "toy",
        "--seeds",
        "2",
        "--out",
        "alone",
        "--resume",
    ];
    succeeds(path, &resumed);
    let tables = ["alone", "pool"].map(|out| {
        let name = format!("{out}/toy/toy.csv");
        fs::read_to_string(path.join(name)).expect("a table")
    });
    assert_eq!(tables[0], tables[1]);
}

#[test]
fn what_is_no_unit_or_another_run_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fails(path, &["unit", "toy", "s2d-x"], "`s2d-x` is no unit of toy");
    fails(path, &["units", "toys"], "unknown experiment `toys`");
    units(path, "out", &[]);
    let other = ["units", "toy", "--seeds", "4", "--out", "out"];
    fails(path, &other, "settings.seeds: 2 there, 4 here");
}

/// The same bits through HyperQueue, where a Python that has it is named.
#[test]
fn units_come_to_the_same_bits_through_hyperqueue() {
    const SCRIPT: &str = "
import sys
from hyperqueue import Client, Job
from hyperqueue.cluster import LocalCluster, WorkerConfig
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    job = Job()
    for line in sys.stdin.read().splitlines():
        job.program(['bash', '-c', line], cwd=sys.argv[1])
    client = cluster.client()
    sys.exit(0 if client.wait_for_jobs([client.submit(job)]) else 1)
";
    let test = "units_come_to_the_same_bits_through_hyperqueue";
    let Some(python) = python(test, &["hyperqueue"]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let lines = units(path, "queue", &[]);
    let file = path.join("units.txt");
    fs::write(&file, lines.join("\n")).expect("writable");
    let status = Command::new(&python)
        .args(["-c", SCRIPT])
        .arg(path)
        .stdin(fs::File::open(&file).expect("readable"))
        .current_dir(path)
        .status();
    assert!(status.expect("the program starts").success());
    assert_eq!(kept(path, "queue"), reference(path));
}
