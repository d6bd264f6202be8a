//! `burgeon doctor`: the devices of this build and machine, each through the conformance suite, and what
//! NVIDIA's need.

use burgeon::backend::cuda::{Need, Runtime, needs};
use burgeon::backend::{HOST, open};
use burgeon::core::testing::conformance;
use burgeon_terminal::Table;

use crate::error::CliError;

/// Prints a row for each device; an error if one that starts computes wrong.
pub fn run() -> Result<(), CliError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rows = Vec::new();
    let mut failing = Vec::new();
    for name in HOST {
        examine(
            name,
            &format!("CPU, {threads} threads"),
            &mut rows,
            &mut failing,
        );
    }
    for runtime in Runtime::ALL {
        match runtime.devices() {
            Ok(devices) => {
                for (index, description) in devices.iter().enumerate() {
                    let name = format!("{runtime}:{index}");
                    examine(&name, description, &mut rows, &mut failing);
                }
            }
            Err(error) => rows.push(vec![
                runtime.to_string(),
                String::new(),
                "not usable".into(),
                error.to_string(),
            ]),
        }
    }
    let table = Table {
        title: "Devices, and the conformance suite on each",
        columns: &["device", "what it is", "state", "conformance"].map(str::to_owned),
        rows: &rows,
        notes: &[
            "The suite compares splitting matrices, matrix-free products and curvature weights with \
             plain loops in f64 on the host; errors are relative to the largest entry."
                .into(),
        ],
    };
    table.print()?;
    print_needs(&needs())?;
    if failing.is_empty() {
        return Ok(());
    }
    Err(CliError::Conformance(failing.join(", ")))
}

/// What `cuda` devices need, and what to do for each that is missing.
fn print_needs(needs: &[Need]) -> Result<(), CliError> {
    let row = |need: &Need| {
        let (state, text) = match &need.found {
            Ok(found) => ("there", found),
            Err(todo) => ("missing", todo),
        };
        vec![need.what.to_owned(), state.to_owned(), text.clone()]
    };
    let rows: Vec<_> = needs.iter().map(row).collect();
    let table = Table {
        title: "What `cuda` devices need",
        columns: &["need", "state", "where, or what to do"].map(str::to_owned),
        rows: &rows,
        notes: &[
            "Neither NVRTC nor nvcc: kernels are translated to PTX by an LLVM in this program."
                .into(),
        ],
    };
    Ok(table.print()?)
}

fn examine(name: &str, what: &str, rows: &mut Vec<Vec<String>>, failing: &mut Vec<String>) {
    let checked = open(name)
        .map_err(|error| error.to_string())
        .and_then(|backend| conformance(backend.as_ref()).map_err(|error| error.to_string()));
    let (state, found) = match checked {
        Ok(checks) => {
            let wrong: Vec<_> = checks.iter().filter(|check| !check.passed()).collect();
            let worst = checks
                .iter()
                .map(|check| check.error / check.bound)
                .fold(0.0, f64::max);
            let mut found = format!(
                "{} of {} checks pass, the worst at {:.0} % of its bound",
                checks.len() - wrong.len(),
                checks.len(),
                100.0 * worst
            );
            if let Some(check) = wrong.first() {
                found.push_str(&format!("; first: {} ({:.1e})", check.name, check.error));
                failing.push(name.to_owned());
            }
            (
                if wrong.is_empty() {
                    "usable"
                } else {
                    "computes wrong"
                },
                found,
            )
        }
        Err(error) => ("not usable", error),
    };
    rows.push(vec![
        name.to_owned(),
        what.to_owned(),
        state.to_owned(),
        found,
    ]);
}
