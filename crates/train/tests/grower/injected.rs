//! System calls that fail when a test says so, by `strace`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The `when`-th call of its kind, from 1, fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The system call, or `/` and a regular expression of several.
    pub call: &'static str,
    /// What the system says, as `ENOSPC`.
    pub error: &'static str,
    pub when: usize,
}

/// Whether this machine has `strace`, and lets it look at a process.
pub fn is_possible() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=none", "true"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// `program`, to be given its arguments, in which `fault` happens on one of `paths`. What came of
/// it is in the file `log`.
pub fn injected(program: &Path, paths: &[PathBuf], fault: Fault, log: &Path) -> Command {
    let Fault { call, error, when } = fault;
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(log);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:error={error}:when={when}")]);
    for path in paths {
        command.arg("-P").arg(path);
    }
    command.arg(program);
    command
}

/// Whether the fault of `log` came about: the program may have made fewer such calls.
pub fn happened(log: &Path) -> bool {
    fs::read_to_string(log).is_ok_and(|log| log.contains("(INJECTED)"))
}
