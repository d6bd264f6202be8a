//! Tables and lines on the terminal, for the project's command lines.
//!
//! Tables are as wide as the terminal at most, or 100 columns where output goes elsewhere. A full
//! device or a closed pipe is an error that the caller sees, not a panic.
//!
//! ```
//! use burgeon_terminal::Table;
//!
//! let table = Table {
//!     title: "Colours",
//!     columns: &["name".into(), "of what".into()],
//!     rows: &[vec!["blue".into(), "the sky".into()]],
//!     notes: &[],
//! };
//! assert_eq!(table.render(40).lines().count(), 6);
//! table.print()?;
//! # Ok::<(), burgeon_terminal::OutputError>(())
//! ```

mod output;
mod table;

pub use output::{OutputError, line, note, warn_of};
pub use table::{OTHERWISE, Table, width};
