//! `burgeon report FOLDER`: the results of a run as one HTML page.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::error::CliError;

#[derive(Debug, Args)]
pub struct Options {
    /// The folder that `cargo xtask reproduce --out` wrote
    folder: PathBuf,
    /// Where the page is written; `index.html` in the folder unless told
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Writes the page.
pub fn run(options: &Options) -> Result<(), CliError> {
    let page = burgeon_report::read(&options.folder)?;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => options.folder.join("index.html"),
    };
    fs::write(&out, page.to_html()).map_err(CliError::file(&out))?;
    burgeon_terminal::line(format_args!("the report is {}", out.display()))?;
    Ok(())
}
