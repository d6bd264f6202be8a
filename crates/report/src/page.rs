//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::chart::{chart, legend, values};
use crate::data::{Figure, Report, Table};
use crate::style::STYLE;

const SCRIPT: &str = include_str!("assets/theme.js");

/// One HTML page of tables and figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    title: String,
    sections: Vec<Section>,
    manifest: Option<Value>,
    missing: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Section {
    id: String,
    title: String,
    report: Report,
}

impl Page {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// With a section more; `id` is what a link to it ends with.
    #[must_use]
    pub fn with_section(
        mut self,
        id: impl Into<String>,
        title: impl Into<String>,
        report: Report,
    ) -> Self {
        self.sections.push(Section {
            id: id.into(),
            title: title.into(),
            report,
        });
        self
    }

    /// With what the run was.
    #[must_use]
    pub fn with_manifest(mut self, manifest: Value) -> Self {
        self.manifest = Some(manifest);
        self
    }

    /// Says that these studies have no results yet.
    #[must_use]
    pub fn with_missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }

    /// Whether there is no section.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The page as one file.
    pub fn to_html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#results" { "To the results" }
                    header {
                        h1 { (self.title) }
                        button #theme type="button" hidden { "Dark" }
                        (self.facts())
                        nav aria-label="Studies" {
                            ul {
                                @for section in &self.sections {
                                    li { a href=(format!("#{}", section.id)) { (section.title) } }
                                }
                            }
                        }
                    }
                    main #results {
                        @if !self.missing.is_empty() {
                            p.note { "Without results yet: " (self.missing.join(", ")) "." }
                        }
                        @for section in &self.sections { (of_section(section)) }
                        @if let Some(manifest) = &self.manifest { (of_manifest(manifest)) }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    /// The run in a few words.
    fn facts(&self) -> Markup {
        let Some(manifest) = &self.manifest else {
            return html! {};
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "unknown".to_owned(),
            other => other.to_string(),
        };
        let settings = &manifest["settings"];
        let facts = [
            ("started", text(&manifest["started"])),
            ("scale", text(&settings["scale"])),
            (
                "seeds",
                match &settings["seeds"] {
                    Value::Null => "each study's own".to_owned(),
                    seeds => text(seeds),
                },
            ),
            ("device", text(&settings["device"])),
            ("threads", text(&manifest["threads"])),
            ("Burn", text(&manifest["burn"])),
            ("revision", text(&manifest["git_revision"])),
        ];
        html! {
            dl.facts {
                @for (name, fact) in facts { div { dt { (name) } dd { (fact) } } }
            }
            @if manifest["finished"] == Value::Bool(false) {
                p.note { "This run is not finished." }
            }
        }
    }
}

fn of_section(section: &Section) -> Markup {
    html! {
        section id=(section.id) aria-label=(section.title) {
            h2 { (section.title) }
            @for table in &section.report.tables { (of_table(table)) }
            div.figures {
                @for figure in &section.report.figures { (of_figure(figure)) }
            }
        }
    }
}

fn of_table(table: &Table) -> Markup {
    // Numbers stand at the right.
    let is_number =
        |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    // Their columns' heads too.
    let numbers = |index: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(index));
        index > 0 && cells.next().is_some_and(|cell| is_number(cell))
    };
    html! {
        figure.table {
            table {
                caption { (table.title) }
                thead { tr {
                    @for (index, column) in table.columns.iter().enumerate() {
                        th scope="col" class=[numbers(index).then_some("n")] { (column) }
                    }
                } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @let label = table.columns.get(index).map_or("", String::as_str);
                                @if index == 0 {
                                    th scope="row" data-label=(label) { (cell) }
                                } @else {
                                    td data-label=(label) class=[is_number(cell).then_some("n")] {
                                        (cell)
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @for note in &table.notes { p.note { (note) } }
        }
    }
}

fn of_figure(figure: &Figure) -> Markup {
    html! {
        @if let Some(chart) = chart(figure) {
            figure.chart {
                figcaption { (figure.title) }
                (chart)
                (legend(figure))
                (values(figure))
            }
        }
    }
}

fn of_manifest(manifest: &Value) -> Markup {
    let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
    html! {
        section #manifest aria-label="Manifest" {
            h2 { "Manifest" }
            details { summary { "All settings and versions of the run" } pre { (text) } }
        }
    }
}
