//! Tables that fit the terminal.

use std::borrow::Cow;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{
    ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, TableStyle, Width,
};
use console::Term;

use crate::output::{OutputError, line};

/// Columns of a table that is not written to a terminal.
pub const OTHERWISE: u16 = 100;

/// Columns of the terminal that the standard output is, or [`OTHERWISE`].
pub fn width() -> u16 {
    let size = Term::stdout().size_checked();
    size.map_or(OTHERWISE, |(_, columns)| columns)
}

/// A table with its heading and the sentences below it.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// Heading.
    pub title: &'a str,
    /// Column heads.
    pub columns: &'a [String],
    /// Cells, as many in each row as there are columns.
    pub rows: &'a [Vec<String>],
    /// Sentences below the table.
    pub notes: &'a [String],
}

impl Table<'_> {
    /// The table within `width` columns. Lines are broken between words where there is room for
    /// that; otherwise the first column's words are broken, and at last all.
    pub fn render(&self, width: u16) -> String {
        let words = self.longest_words();
        let mut names_broken = words.clone();
        if let Some(name) = names_broken.first_mut() {
            *name = (*name).min(BROKEN_NAME);
        }
        let nothing = vec![1; words.len()];
        let attempts = [
            (BOXED, &words),
            (NARROW, &words),
            (NARROW, &names_broken),
            (NARROW, &nothing),
        ];
        let fits = |(look, least): &(Look, &Vec<u16>)| look.least(least) <= usize::from(width);
        let [.., last] = attempts;
        let (look, least) = attempts.into_iter().find(fits).unwrap_or(last);
        let mut lines = vec![fill(self.title, width), self.grid(width, look, least)];
        lines.extend(self.notes.iter().map(|note| fill(note, width)));
        lines.join("\n")
    }

    /// Prints the table as wide as the terminal allows.
    ///
    /// # Errors
    /// [`OutputError`] if the standard output is full or closed.
    pub fn print(&self) -> Result<(), OutputError> {
        line(self.render(width()))
    }

    fn grid(&self, width: u16, look: Look, least: &[u16]) -> String {
        let mut grid = comfy_table::Table::new();
        grid.load_style(look.style)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(self.columns.iter().map(|text| plain(text)));
        for row in self.rows {
            grid.add_row(row.iter().map(|text| plain(text)));
        }
        for (index, column) in grid.column_iter_mut().enumerate() {
            column.set_padding(look.padding);
            if let Some(word) = least.get(index) {
                let room = word.saturating_add(look.padding.0 + look.padding.1);
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(room)));
            }
        }
        // No line ends in the blanks that a column without a border is filled up with.
        let grid = grid.to_string();
        let lines: Vec<&str> = grid.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Columns of the longest word in each column.
    fn longest_words(&self) -> Vec<u16> {
        let of = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let words = cells
                .chain(&self.columns[index..=index])
                .flat_map(|cell| cell.split(' '));
            let longest = words.map(textwrap::core::display_width).max();
            u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX)
        };
        (0..self.columns.len()).map(of).collect()
    }
}

/// Columns of a part of a name that had to be broken, at least.
const BROKEN_NAME: u16 = 8;

const BOXED: Look = Look {
    style: UTF8_FULL_CONDENSED,
    padding: (1, 1),
};

/// For wide tables: a line between columns, and no blank.
const NARROW: Look = Look {
    style: TableStyle::new()
        .header_lines(ContentLineStyle::none().junction('┆'))
        .header_separator(LineStyle::none().fill('═').junction('╪'))
        .content_lines(ContentLineStyle::none().junction('┆')),
    padding: (0, 0),
};

/// How lines are drawn, and the blanks on each side of a cell.
#[derive(Clone, Copy)]
struct Look {
    style: TableStyle,
    padding: (u16, u16),
}

impl Look {
    /// Columns that a table of such words needs, with a line on each side of every column.
    fn least(self, words: &[u16]) -> usize {
        let beside = usize::from(self.padding.0) + usize::from(self.padding.1) + 1;
        let columns = words.iter().map(|word| usize::from(*word) + beside);
        columns.sum::<usize>() + 1
    }
}

fn fill(text: &str, width: u16) -> String {
    textwrap::fill(&plain(text), usize::from(width.max(1)))
}

/// `text` without characters that would move the cursor: some of it comes out of files.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    text.replace(char::is_control, "\u{fffd}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(rows: &[&[&str]], width: u16) -> String {
        let owned = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(owned).collect();
        let (head, body) = rows.split_first().expect("a head");
        let table = Table {
            title: "A title that is longer than forty columns, and so goes on",
            columns: head,
            rows: body,
            notes: &["A note below that is longer than forty columns as well.".into()],
        };
        table.render(width)
    }

    fn widest(text: &str) -> usize {
        let widths = text.lines().map(textwrap::core::display_width);
        widths.max().unwrap_or(0)
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let rows: [&[&str]; 3] = [
            &["name", "what it shows"],
            &[
                "toy",
                "a sentence of many words that is not broken within one",
            ],
            &["λ→μ", "1,234,567"],
        ];
        for width in [20, 40, 60, 100, 220] {
            let text = rendered(&rows, width);
            assert!(widest(&text) <= usize::from(width), "{width}:\n{text}");
        }
        // Where there is room, nothing is broken.
        assert_eq!(rendered(&rows, 100).lines().count(), 8);
        assert!(widest(&rendered(&rows, 220)) < 100);
    }

    #[test]
    fn numbers_stay_in_one_piece_while_they_can() {
        let numbers = "4,231,976 568,740,352 12,345,678 9,876,543,210";
        let cells: Vec<&str> = numbers.split(' ').collect();
        let heads = ["parameters of a layer"; 4];
        // Boxed: 9 + 11 + 10 + 13 digits, but the heads' longest words, of 10, count too.
        let boxed = rendered(&[&heads, &cells], 57);
        let narrow = rendered(&[&heads, &cells], 50);
        for text in [&boxed, &narrow] {
            for cell in &cells {
                assert!(text.contains(cell), "{text}");
            }
        }
        assert!(boxed.contains('┌') && !narrow.contains('┌'));
        assert!(widest(&narrow) <= 50, "{narrow}");
        let names = "block13.pointwise 568,740,352 12,345,678 9,876,543,210";
        let names: Vec<&str> = names.split(' ').collect();
        let text = rendered(&[&heads, &names], 48);
        assert!(names[1..].iter().all(|cell| text.contains(cell)), "{text}");
        assert!(!text.contains(names[0]) && widest(&text) <= 48, "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = rendered(&[&["name"], &["\u{1b}[2Jrubbed out\r\n"]], 80);
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
        assert!(text.contains("rubbed out"));
    }
}
