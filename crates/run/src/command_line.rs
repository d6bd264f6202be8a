//! What the commands `burgeon-run` and `burgeon predict` have in common: how files of data are
//! read, and how predictions are printed.
//!
//! ```
//! use burgeon_run::command_line::lines;
//! use burgeon_run::{Prediction, TargetSchema};
//!
//! let target = TargetSchema::Number { column: "height".into(), mean: 0.0, deviation: 1.0 };
//! let printed = lines(&target, &[Prediction::Number { value: 1.5 }], false);
//! assert_eq!(printed, ["height", "1.5"]);
//! ```

use std::path::Path;

use burgeon_data::own::{Missing, ReadOptions, Records, read};
use clap::Args;

use crate::error::RunError;
use crate::prediction::Prediction;
use crate::schema::TargetSchema;

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
    /// What `path` holds.
    ///
    /// # Errors
    /// [`RunError::Data`] with the place and what to do.
    pub fn records(&self, path: &Path) -> Result<Records, RunError> {
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
        Ok(read(path, &options)?)
    }
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

/// A line for each prediction: of JSON, or of CSV below a line of names.
pub fn lines(target: &TargetSchema, predictions: &[Prediction], json: bool) -> Vec<String> {
    let column = cell(target.column());
    let heading = match target {
        _ if json => None,
        TargetSchema::Classes { .. } => Some(format!("{column},probability")),
        TargetSchema::Number { .. } => Some(column),
    };
    let line = |prediction: &Prediction| match (json, prediction) {
        (true, Prediction::Class { class, probability }) => {
            serde_json::json!({ "class": class, "probability": probability }).to_string()
        }
        (true, Prediction::Number { value }) => serde_json::json!({ "value": value }).to_string(),
        (false, Prediction::Class { class, probability }) => {
            format!("{},{probability:.4}", cell(class))
        }
        (false, Prediction::Number { value }) => value.to_string(),
    };
    let lines = predictions.iter().map(line);
    heading.into_iter().chain(lines).collect()
}

/// A text as a cell of CSV.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
