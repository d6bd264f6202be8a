//! The Python of tests that hand something to a program in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// The Python that has `modules`: the first one of `BURGEON_PYTHON`, a list as that of `PATH`, or else
/// `python3`. Without one it says that the test is skipped.
pub fn python(test: &str, modules: &[&str]) -> Option<PathBuf> {
    let named = std::env::var_os("BURGEON_PYTHON").unwrap_or_else(|| "python3".into());
    let imports = format!("import {}", modules.join(", "));
    let has_all = |python: &PathBuf| {
        let found = Command::new(python).args(["-c", &imports]).output();
        found.is_ok_and(|output| output.status.success())
    };
    let found = std::env::split_paths(&named).find(has_all);
    if found.is_none() {
        // Past the test harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: {} has no {}; set BURGEON_PYTHON to one that has",
            named.display(),
            modules.join(", ")
        );
    }
    found
}
