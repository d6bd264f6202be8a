//! Running the program as a user does.

use std::path::Path;
use std::process::{Command, Output};

/// `xtask` with `arguments` in `folder`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .current_dir(folder)
        .env_remove("BURGEON_DATA")
        .args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments)
        .output()
        .expect("the program starts")
}

/// Fails with an error that contains `expected`, and what it says.
pub fn fails(folder: &Path, arguments: &[&str], expected: &str) -> String {
    let output = run(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(text.contains(expected), "{arguments:?} says: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text.into_owned()
}

/// Succeeds, and what it prints.
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} says: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
