//! Tables for the terminal, as Markdown and as CSV.

use burgeon_experiments::report::Table;
use comfy_table::TableStyle;
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};

/// The table as a terminal shows it.
pub fn terminal(table: &Table) -> String {
    join(
        &table.title,
        &grid(table, UTF8_FULL_CONDENSED),
        &table.notes,
    )
}

/// The table as Markdown, under a heading.
pub fn markdown(table: &Table) -> String {
    let notes: Vec<String> = table.notes.iter().map(|note| format!("\n{note}")).collect();
    let heading = format!("## {}\n", table.title);
    join(&heading, &grid(table, ASCII_MARKDOWN), &notes) + "\n"
}

/// The cells as CSV, heads first.
pub fn csv(table: &Table) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(&table.columns).chain(&table.rows) {
        // Writing to memory cannot fail, and all rows are of one length.
        let _ = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
}

fn grid(table: &Table, style: TableStyle) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_style(style).set_header(&table.columns);
    for row in &table.rows {
        grid.add_row(row);
    }
    grid.to_string()
}

fn join(title: &str, grid: &str, notes: &[String]) -> String {
    let mut lines = vec![title.to_owned(), grid.to_owned()];
    lines.extend(notes.iter().cloned());
    lines.join("\n")
}
