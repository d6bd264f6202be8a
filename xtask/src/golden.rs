//! `cargo xtask golden DIR`.

use std::path::PathBuf;

use burgeon::backend;
use burgeon_experiments::golden::{RAYLEIGH_PASSES, check_directory};
use burgeon_terminal::Table;
use clap::Args;

use crate::error::XtaskError;

#[derive(Debug, Args)]
pub struct Options {
    /// Directory with index.json and one safetensors file for each case
    directory: PathBuf,
    /// Device to compute on: flex, ndarray, cuda:N, wgpu:N or cpu (see `burgeon doctor`)
    #[arg(long, default_value = backend::DEFAULT)]
    device: String,
}

/// Prints the worst relative error of each quantity.
pub fn run(options: &Options) -> Result<(), XtaskError> {
    let backend = backend::open(&options.device)?;
    let report = check_directory(&options.directory, backend.as_ref())?;
    let cells = |row: &burgeon_experiments::golden::GoldenRow| {
        vec![
            row.case.clone(),
            row.dtype.to_owned(),
            row.quantity.to_owned(),
            row.count.to_string(),
            format!("{:.1e}", row.worst),
            format!("{:.0e}", row.bound),
            if row.passed() { "ok" } else { "OUT OF BOUNDS" }.to_owned(),
        ]
    };
    let heads = [
        "case",
        "type",
        "quantity",
        "values",
        "worst error",
        "bound",
        "",
    ];
    let mut notes = vec![format!(
        "Rayleigh descent: {RAYLEIGH_PASSES} passes (each case is one batch, so as many steps); its \
         bound is 5 % of the larger end, not rounding."
    )];
    for (scheme, count) in &report.skipped {
        notes.push(format!(
            "{count} losses after `{scheme}` were not compared: not implemented."
        ));
    }
    let rows: Vec<Vec<String>> = report.rows.iter().map(cells).collect();
    let table = Table {
        title: &format!(
            "Relative errors against {} on {}",
            options.directory.display(),
            options.device
        ),
        columns: &heads.map(str::to_owned),
        rows: &rows,
        notes: &notes,
    };
    table.print()?;
    let failed = report.rows.iter().filter(|row| !row.passed()).count();
    if failed > 0 {
        let total = report.rows.len();
        return Err(XtaskError::Golden { failed, total });
    }
    Ok(())
}
