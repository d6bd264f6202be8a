//! Disks that are full, read-only or broken: a run ends with an error that says so, loses nothing
//! that was saved, and goes on to the same result once the disk is mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burgeon_backend_flex::FLEX;
use burgeon_nn::NnError;
use burgeon_nn::weights::save_weights;
use burgeon_train::observer::Journal;
use burgeon_train::{Advance, Grower};

use crate::injected::{Fault, happened, injected, is_possible};
use crate::network::{Mlp, adam, config, task};

/// Where the process that fails finds its folder.
const FOLDER: &str = "BURGEON_FAILING_RUN";

const ITSELF: [&str; 3] = ["--exact", "faults::a_run_in_its_own_process", "--nocapture"];

/// What the run writes.
const FILES: [&str; 8] = [
    "run",
    "run.partial",
    "run.history",
    "run.lock",
    "journal.jsonl",
    "journal.jsonl.partial",
    "model.safetensors",
    "model.safetensors.partial",
];

/// Three epochs and a growth, of which it tells what is saved.
fn run(folder: &Path) -> Result<(), NnError> {
    let config = config().with_max_epochs(3);
    let grower = Grower::new(config, FLEX, task(120), Mlp::fixed(2), adam())?;
    let grower = grower.observe(Journal::new(folder.join("journal.jsonl")));
    let mut grower = grower.checkpoint_at(folder.join("run"))?;
    println!("epoch {}", grower.state().epoch);
    while !matches!(grower.advance()?, Advance::Ended(_)) {
        println!("epoch {}", grower.state().epoch);
    }
    save_weights(grower.model(), &folder.join("model.safetensors"))?;
    let state = grower.state();
    let mut journal = state.journal.clone();
    journal.iter_mut().for_each(|record| record.seconds = 0.0);
    assert_eq!(journal.len(), 1);
    let told = format!("{:#?}\n{journal:#?}", state.epochs);
    fs::write(folder.join("state.txt"), told).expect("not one of the files that fail");
    Ok(())
}

/// What is run in a process of its own: nothing, unless it is told a folder.
#[test]
fn a_run_in_its_own_process() {
    if let Some(folder) = std::env::var_os(FOLDER)
        && let Err(error) = run(Path::new(&folder))
    {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn program() -> PathBuf {
    std::env::current_exe().expect("known")
}

/// The run in `folder`, by a command that is the program or runs it.
fn output(mut command: Command, folder: &Path) -> Output {
    command.args(ITSELF).env(FOLDER, folder);
    command.output().expect("starts")
}

/// The epochs that a run told, in their order.
fn epochs(output: &Output) -> Vec<usize> {
    let text = String::from_utf8_lossy(&output.stdout);
    let epochs = text.lines().filter_map(|line| line.strip_prefix("epoch "));
    epochs
        .map(|epoch| epoch.parse().expect("a number"))
        .collect()
}

/// A run without any fault, and its folder.
fn whole() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let output = output(Command::new(program()), folder.path());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(epochs(&output), [0, 1, 2, 2, 3]);
    folder
}

/// Checks that `failed`, a run in `folder`, told of the fault, and that it goes on to what is in
/// `whole`.
fn goes_on(failed: &Output, expected: &str, folder: &Path, whole: &Path, fault: &str) {
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success(), "{fault}: nothing was noticed");
    let is_told = said.contains("error: ") && said.contains(expected);
    assert!(is_told && !said.contains("panicked"), "{fault}: {said}");
    let path = folder.to_string_lossy();
    assert!(said.contains(&*path), "{fault} names no file: {said}");
    let again = output(Command::new(program()), folder);
    assert!(again.status.success(), "{fault}: {again:?}");
    let saved = epochs(failed).last().copied().unwrap_or(0);
    let begun = epochs(&again)[0];
    assert!(
        begun >= saved,
        "{fault}: {saved} epochs were saved, {begun} are left"
    );
    for file in ["model.safetensors", "state.txt"] {
        let [a, b] = [whole, folder].map(|folder| fs::read(folder.join(file)).expect("there"));
        assert!(a == b, "{fault}: {file} differs");
    }
}

#[test]
fn every_write_may_fail() {
    if !is_possible() {
        println!("SKIPPED: there is no strace, or it may not look at processes");
        return;
    }
    let whole = whole();
    let faults = [
        ("write", "ENOSPC", "No space left on device"),
        ("ftruncate", "ENOSPC", "No space left on device"),
        ("fsync", "EIO", "Input/output error"),
        ("/^rename", "ENOSPC", "No space left on device"),
        ("openat", "EROFS", "Read-only file system"),
    ];
    for (call, error, expected) in faults {
        for when in 1.. {
            let fault = Fault { call, error, when };
            let folder = tempfile::tempdir().expect("a folder");
            let own = fs::canonicalize(folder.path()).expect("there");
            let paths = paths(&own);
            let log = own.join("strace.log");
            let failed = output(injected(&program(), &paths, fault, &log), &own);
            if !happened(&log) {
                assert!(failed.status.success() && when > 4, "{fault:?}: {failed:?}");
                println!("{call}: {} times", when - 1);
                break;
            }
            goes_on(&failed, expected, &own, whole.path(), &format!("{fault:?}"));
        }
    }
}

/// The files that the run writes in `folder`, and the folder.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let files = FILES.iter().map(|file| folder.join(file));
    files.chain([folder.to_owned()]).collect()
}

/// `program`, to be given its arguments, whose calls on `paths` are written to the file `log`, with
/// the paths of the files that they are on.
fn watched(program: &Path, paths: &[PathBuf], calls: &str, log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-o"]).arg(log);
    command.args(["-e", &format!("trace={calls}")]);
    for path in paths {
        command.arg("-P").arg(path);
    }
    command.arg(program);
    command
}

/// A loss of power between any two calls leaves a file old or new: what is renamed was synced, with
/// the history that it counts on, and so is the folder after it.
#[test]
fn files_are_synced_before_they_are_renamed() {
    if !is_possible() {
        println!("SKIPPED: there is no strace, or it may not look at processes");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let own = fs::canonicalize(folder.path()).expect("there");
    let log = own.join("strace.log");
    let calls = "write,fsync,/^rename";
    let output = output(watched(&program(), &paths(&own), calls, &log), &own);
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(log).expect("written");
    let folder = own.to_string_lossy();
    // The files that were written and not synced since, the folder by its own name.
    let mut unsynced: Vec<String> = Vec::new();
    let mut renames = 0;
    for line in log.lines() {
        let Some((_, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let on = call.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        if call.starts_with("write(") {
            assert!(!unsynced.contains(&folder.to_string()), "{line}\n{log}");
            unsynced.push(on);
        } else if call.starts_with("fsync(") {
            unsynced.retain(|path| *path != on);
        } else if call.starts_with("rename") {
            // What the journal appends counts only once a checkpoint has it too.
            unsynced.retain(|path| !path.ends_with(".jsonl"));
            assert!(unsynced.is_empty(), "{line}: {unsynced:?}\n{log}");
            unsynced.push(folder.to_string());
            renames += 1;
        }
    }
    assert!(renames >= 6, "{log}");
}

/// Files may not become larger than a limit: a write fails in the middle of a file, as on a disk
/// that is full.
#[cfg(unix)]
#[test]
fn files_may_not_fit() {
    const BLOCK: usize = 512;
    let whole = whole();
    let size = |file| fs::metadata(whole.path().join(file)).expect("there").len() as usize;
    let largest = size("run").max(size("run.history"));
    let mut failures = 0;
    for limit in (1..).step_by(3).take_while(|limit| limit * BLOCK < largest) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shell = Command::new("sh");
        let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
        shell
            .args(["-c", script, &limit.to_string()])
            .arg(program());
        let failed = output(shell, folder.path());
        let fault = format!("files of {limit} blocks");
        goes_on(
            &failed,
            "File too large",
            folder.path(),
            whole.path(),
            &fault,
        );
        failures += 1;
    }
    assert!(failures > 3, "files of {largest} bytes");
}
