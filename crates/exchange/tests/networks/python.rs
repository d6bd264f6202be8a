//! The Python of tests that hand something to a program in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// The Python that has `modules`: `BURGEON_PYTHON`, or else `python3`. Without one it says that the
/// test is skipped.
pub fn python(test: &str, modules: &[&str]) -> Option<PathBuf> {
    let python = std::env::var_os("BURGEON_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let imports = format!("import {}", modules.join(", "));
    let found = Command::new(&python).args(["-c", &imports]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    // Past the test harness, which keeps the output of tests that pass to itself.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {test}: {} has no {}; set BURGEON_PYTHON to one that has",
        python.display(),
        modules.join(", ")
    );
    None
}
