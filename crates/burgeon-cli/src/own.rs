//! A person's own data on the command line: `burgeon grow`, `predict`, `evaluate` and `export`.

use std::path::{Path, PathBuf};

use burgeon::data::own::{Missing, ReadOptions, Records, read};
use clap::Args;

use crate::error::CliError;

pub mod evaluate;
pub mod export;
pub mod grow;
pub mod predict;

/// How files of data are read.
#[derive(Debug, Args)]
pub struct Reading {
    /// What separates the cells of a CSV file; found out unless told
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// The CSV file has no line of names: columns are called `column 1` and so on
    #[arg(long)]
    no_header: bool,
    /// A column that holds categories although they look like numbers; may be repeated
    #[arg(long = "category", value_name = "COLUMN")]
    categories: Vec<String>,
    /// Leave out rows with missing values
    #[arg(long)]
    drop_missing: bool,
    /// Scale the images of a folder to this width and height
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<[u32; 2]>,
}

impl Reading {
    fn records(&self, path: &Path) -> Result<Records, CliError> {
        let options = ReadOptions {
            delimiter: self.delimiter,
            no_header: self.no_header,
            categories: self.categories.clone(),
            missing: match self.drop_missing {
                true => Missing::DropRow,
                false => Missing::Refuse,
            },
            size: self.size.map(|[width, height]| [height, width]),
        };
        Ok(read(path, &options).map_err(burgeon_predictor::PredictorError::from)?)
    }
}

/// A run's folder and data for it.
#[derive(Debug, Args)]
pub struct Trained {
    /// The folder that `burgeon grow --out` wrote
    folder: PathBuf,
    /// A CSV file, a NumPy archive, an IDX file of images, or a folder of images
    file: PathBuf,
    /// Take the network with so many parameters, of those that growing passed
    #[arg(long)]
    parameters: Option<u64>,
    #[command(flatten)]
    reading: Reading,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Ok(*byte),
            _ => Err("one character, as ; or tab".into()),
        },
    }
}

/// The largest width or height of a scaled image.
const MOST: u32 = 4096;

fn size(text: &str) -> Result<[u32; 2], String> {
    let sizes = text
        .split_once('x')
        .map(|(width, height)| (width.parse(), height.parse()));
    match sizes {
        Some((Ok(width), Ok(height)))
            if (1..=MOST).contains(&width) && (1..=MOST).contains(&height) =>
        {
            Ok([width, height])
        }
        _ => Err(format!("width and height in pixels up to {MOST}, as 28x28")),
    }
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
