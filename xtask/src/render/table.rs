//! Tables for the terminal, as Markdown and as CSV.

use burgeon_experiments::report::Table;
use burgeon_terminal::OutputError;
use comfy_table::presets::ASCII_MARKDOWN;

/// Prints the table as wide as the terminal allows.
pub fn print(table: &Table) -> Result<(), OutputError> {
    let shown = burgeon_terminal::Table {
        title: &table.title,
        columns: &table.columns,
        rows: &table.rows,
        notes: &table.notes,
    };
    shown.print()
}

/// The table as Markdown, under a heading.
pub fn markdown(table: &Table) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_style(ASCII_MARKDOWN).set_header(&table.columns);
    for row in &table.rows {
        grid.add_row(row);
    }
    let mut text = format!("## {}\n\n{grid}\n", table.title);
    for note in &table.notes {
        text += &format!("\n{note}\n");
    }
    text
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
