//! A person's own data: CSV, NumPy archives, IDX files, folders of images.
//!
//! ```
//! use burgeon_data::own::{Cells, ReadOptions, Records, read_csv};
//!
//! let text = "height;colour;kind\n1.5;red;apple\n2;green;pear\n";
//! let table = read_csv("fruit.csv", text.as_bytes(), &ReadOptions::default())?;
//! assert_eq!(table.columns[0].cells, Cells::Numbers(vec![1.5, 2.0]));
//! assert_eq!(table.columns[2].name, "kind");
//! # Ok::<(), burgeon_data::DataError>(())
//! ```

mod csv;
mod folder;
mod npy;
mod npz;
mod table;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

pub use csv::read_csv;
pub(crate) use npz::numpy_arrays;
pub use table::{Cells, Column, LabelledImages, Table};

use crate::error::DataError;
use crate::idx;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Records {
    /// Rows of columns.
    Table(Table),
    /// Images of one size with labels.
    Images(LabelledImages),
}

/// What is done about a row with an empty cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    #[default]
    Refuse,
    /// The row is left out.
    DropRow,
}

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// What separates the cells of a CSV file; found out where nothing is said.
    pub delimiter: Option<u8>,
    /// Whether a CSV file has no line of names; its columns are then called `column 1` and so on.
    pub no_header: bool,
    /// Columns that hold categories although their cells may look like numbers.
    pub categories: Vec<String>,
    /// Rows with empty cells.
    pub missing: Missing,
    /// Height and width that images of a folder are scaled to; without it they must be of one
    /// size.
    pub size: Option<[u32; 2]>,
}

/// What `path` holds, by what it is: a directory (images in a folder for each class), a NumPy
/// archive, an IDX file of images (whose labels lie beside it), or else CSV. Gzip is undone.
///
/// # Errors
/// [`DataError::Io`] for what cannot be read, [`DataError::Format`] for what is wrong in it, with
/// its place and what to do.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Records, DataError> {
    if path.is_dir() {
        return folder::read_folder(path, options.size).map(Records::Images);
    }
    let bytes = unpacked(path)?;
    let what = path.display();
    if bytes.is_empty() {
        return Err(DataError::format(what, "the file is empty"));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return npz::read_npz(path, &bytes);
    }
    if bytes.starts_with(&[0, 0, 8, 3]) {
        let labels = labels_beside(path)?;
        let images = idx::parse(&what.to_string(), &bytes, &unpacked(&labels)?)?;
        return Ok(Records::Images(LabelledImages {
            shape: images.shape,
            pixels: images.pixels,
            labels: images.labels.iter().map(usize::to_string).collect(),
        }));
    }
    read_csv(what, &bytes, options).map(Records::Table)
}

/// The bytes of a file, without its compression.
fn unpacked(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(path).map_err(DataError::io(path))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut plain)
        .map_err(|error| DataError::format(path.display(), format!("damaged gzip: {error}")))?;
    Ok(plain)
}

/// The labels of an IDX file of images, by MNIST's names.
fn labels_beside(path: &Path) -> Result<PathBuf, DataError> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.unwrap_or_default();
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let beside = path.with_file_name(&labels);
    if labels == *name || !beside.is_file() {
        let problem = "an IDX file of images needs its labels beside it, under the same name with \
                       `labels` for `images` and `idx1` for `idx3`";
        return Err(DataError::format(path.display(), problem));
    }
    Ok(beside)
}

#[cfg(test)]
mod tests;
