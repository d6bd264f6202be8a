//! A results folder as a page.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::data::Report;
use crate::error::{ReportError, file, io};
use crate::growth::growth;
use crate::page::Page;

/// The file in which a study's folder keeps its [`Report`].
pub const REPORT: &str = "report.json";

/// The page of the results in `folder`: its manifest, and each study's report with what its
/// journals tell.
///
/// # Errors
/// [`ReportError::Nothing`] for a folder without results, [`ReportError::File`] for a file that
/// holds something else, [`ReportError::Io`] for one that cannot be read.
pub fn read(folder: &Path) -> Result<Page, ReportError> {
    let path = folder.join("manifest.json");
    if !path.is_file() {
        return Err(ReportError::Nothing(folder.to_owned()));
    }
    let text = fs::read_to_string(&path).map_err(io(&path))?;
    let manifest: Value = serde_json::from_str(&text)
        .map_err(|error| file(&path, format!("no manifest: {error}")))?;
    let studies = manifest["studies"].as_array().cloned().unwrap_or_default();
    let mut page = Page::new("Burgeon: results");
    let mut missing = Vec::new();
    for study in studies.iter().filter_map(Value::as_str) {
        // A name from a file leads nowhere but into the folder.
        if study.contains(['/', '\\']) || study.starts_with('.') {
            return Err(file(&path, format!("`{study}` is no name of a study")));
        }
        let own = folder.join(study);
        let path = own.join(REPORT);
        if !path.is_file() {
            missing.push(study.to_owned());
            continue;
        }
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let mut report: Report = serde_json::from_str(&text)
            .map_err(|error| file(&path, format!("no report: {error}")))?;
        let Report { tables, figures } = growth(&own.join("units"))?;
        report.tables.extend(tables);
        report.figures.extend(figures);
        page = page.with_section(study, study, report);
    }
    if page.is_empty() {
        return Err(ReportError::Nothing(folder.to_owned()));
    }
    Ok(page.with_manifest(manifest).with_missing(missing))
}
