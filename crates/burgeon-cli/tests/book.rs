//! Commands of the documentation are ones that there are.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn commands_of_the_documentation_are_ones_that_there_are() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let folders = [docs.clone(), docs.join("book/src"), docs.join("..")];
    let mut commands = 0;
    for folder in folders {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.extension().is_none_or(|kind| kind != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable");
            let calls = text.lines().map(str::trim);
            let calls =
                calls.filter_map(|line| line.strip_prefix("cargo run --release --bin burgeon -- "));
            for call in calls {
                let output = Command::new(env!("CARGO_BIN_EXE_burgeon"))
                    .args(call.split(' '))
                    .arg("--help")
                    .output()
                    .expect("the program starts");
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(
                    output.status.success(),
                    "{}: {call}: {error}",
                    path.display()
                );
                commands += 1;
            }
        }
    }
    assert!(commands >= 5, "{commands}");
}
