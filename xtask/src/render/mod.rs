//! Tables and figures as files.

mod plot;
mod table;

pub use table::{markdown, print};

use std::fs;
use std::path::Path;

use burgeon_experiments::report::Report;

use crate::error::{XtaskError, io};

/// Writes a report: as data, CSV and Markdown for tables, PNG and SVG for figures.
pub fn write(folder: &Path, report: &Report) -> Result<(), XtaskError> {
    let path = folder.join(burgeon_report::REPORT);
    let data = serde_json::to_vec(report).map_err(|error| io(&path)(error.into()))?;
    fs::write(&path, data).map_err(io(&path))?;
    for table in &report.tables {
        let path = folder.join(format!("{}.csv", table.name));
        fs::write(&path, table::csv(table)).map_err(io(&path))?;
        let path = folder.join(format!("{}.md", table.name));
        fs::write(&path, markdown(table)).map_err(io(&path))?;
    }
    for figure in &report.figures {
        if figure.series.iter().all(|series| series.points.is_empty()) {
            burgeon_terminal::note(format_args!("{}: nothing to draw", figure.name));
            continue;
        }
        plot::draw(folder, figure)?;
    }
    Ok(())
}
