//! Tables of the UCI repository, and one of ELENA's.
//!
//! Each is one file of numbers with the class at the end of each line, as the KEEL project gives
//! them; satimage is the two files of its official split, as UCI gives them.
//!
//! ```no_run
//! use burgeon_data::{DataSet, load_table};
//!
//! // After `cargo xtask data fetch satimage`.
//! let set = load_table(DataSet::Satimage, "data".as_ref())?;
//! assert_eq!((set.rows.rows(), set.test.map(|test| test.rows())), (4435, Some(2000)));
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

use std::path::Path;

use crate::catalogue::DataSet;
use crate::error::DataError;
use crate::own::{ReadOptions, Table, read_csv};

/// A table with its official split, where it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSet {
    /// The data set's name.
    pub name: &'static str,
    /// All rows, or those of the official training set. The columns are called `x1` and so on, the
    /// last one `class`, whose cells are texts.
    pub rows: Table,
    /// The official test set.
    pub test: Option<Table>,
}

/// Loads a table from `directory/NAME`, after checking its files' hashes.
///
/// # Errors
/// [`DataError::Absent`] with what to do if it is not there, [`DataError::Hash`] or
/// [`DataError::Format`] if it is not what it should be, or a set of images.
pub fn load_table(set: DataSet, directory: &Path) -> Result<TableSet, DataError> {
    if !set.is_table() {
        return Err(DataError::format(
            set.name(),
            "it is a set of images: read it by `load`",
        ));
    }
    let files = set.read(directory)?;
    let mut tables = set.files().iter().zip(&files);
    let mut next = || tables.next().map(|(file, bytes)| table(file.name, bytes));
    let rows = next().ok_or_else(|| DataError::format(set.name(), "it has no file"))??;
    Ok(TableSet {
        name: set.name(),
        rows,
        test: next().transpose()?,
    })
}

/// What class a row is of.
const CLASS: &str = "class";

fn table(name: &str, bytes: &[u8]) -> Result<Table, DataError> {
    let is_spaced = !bytes.contains(&b',');
    let lines = String::from_utf8_lossy(bytes);
    let line = |line: &str| match is_spaced {
        true => line.split_whitespace().collect::<Vec<_>>().join(","),
        false => line.trim().to_owned(),
    };
    let lines: Vec<String> = lines.lines().map(line).filter(|l| !l.is_empty()).collect();
    let columns = lines.first().map_or(0, |line| line.split(',').count());
    let names = (1..columns).map(|column| format!("x{column}"));
    let names: Vec<String> = names.chain([CLASS.to_owned()]).collect();
    let text = format!("{}\n{}\n", names.join(","), lines.join("\n"));
    let options = ReadOptions {
        delimiter: Some(b','),
        categories: vec![CLASS.to_owned()],
        ..ReadOptions::default()
    };
    read_csv(name, text.as_bytes(), &options)
}

#[cfg(test)]
mod tests {
    use super::{CLASS, table};
    use crate::own::Cells;

    #[test]
    fn both_ways_of_writing_lines_are_read() {
        for text in ["1.5, 2, 3\n0, 1, 7\n\n", "1.5 2 3\r\n0  1 7"] {
            let table = table("a test", text.as_bytes()).expect("numbers");
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, ["x1", "x2", CLASS]);
            assert_eq!(table.columns[0].cells, Cells::Numbers(vec![1.5, 0.0]));
            let classes = ["3", "7"].map(str::to_owned).to_vec();
            assert_eq!(table.columns[2].cells, Cells::Texts(classes));
        }
        assert!(table("a test", b"").is_err());
    }
}
