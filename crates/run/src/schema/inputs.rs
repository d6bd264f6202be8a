//! Inputs.

use std::collections::BTreeSet;

use burgeon_data::own::{Cells, LabelledImages, Records, Table};
use serde::{Deserialize, Serialize};

use super::{check_standard, standard};
use crate::error::{RunError, schema};

/// How one column becomes inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnEncoding {
    /// One input, `(value − mean) / deviation`.
    Number {
        /// The column.
        column: String,
        /// Mean over the training rows.
        mean: f64,
        /// Standard deviation over the training rows; 1 where it would be 0.
        deviation: f64,
    },
    /// An input for each category, 1 for its own and 0 for the others.
    Categories {
        /// The column.
        column: String,
        /// The categories, in order.
        categories: Vec<String>,
    },
}

/// What a network's inputs are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputSchema {
    /// The columns of a table.
    Columns(Vec<ColumnEncoding>),
    /// Images.
    Images {
        /// `[channels, height, width]`.
        shape: [usize; 3],
        /// Of each channel, over the training images.
        mean: Vec<f64>,
        /// Of each channel.
        deviation: Vec<f64>,
    },
}

/// The most numbers of one image: 4096 × 4096 pixels in three colours.
const MOST_NUMBERS: usize = 3 << 24;

impl InputSchema {
    /// All of `records` but the column `target`.
    pub(super) fn of(records: &Records, target: &str, train: &[usize]) -> Result<Self, RunError> {
        match records {
            Records::Table(table) => columns(table, target, train),
            Records::Images(images) => Ok(of_images(images, train)),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Columns(columns) if columns.is_empty() => Err("it has no input".into()),
            Self::Columns(columns) => columns.iter().try_for_each(|column| match column {
                ColumnEncoding::Number {
                    column,
                    mean,
                    deviation,
                } => check_standard(column, *mean, *deviation),
                ColumnEncoding::Categories { column, categories } => {
                    match !categories.is_empty() && categories.is_sorted() {
                        true => Ok(()),
                        false => Err(format!("{column}: categories must be there, and in order")),
                    }
                }
            }),
            Self::Images {
                shape,
                mean,
                deviation,
            } => {
                let channels = shape[0];
                let numbers = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
                if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
                    return Err(format!(
                        "images of {shape:?}: at most {MOST_NUMBERS} numbers are meant"
                    ));
                }
                if shape.contains(&0) || [mean.len(), deviation.len()] != [channels; 2] {
                    return Err(format!(
                        "images of {shape:?} with {} means and {} deviations: one for each channel \
                         is needed",
                        mean.len(),
                        deviation.len()
                    ));
                }
                let mut pairs = mean.iter().zip(deviation);
                pairs.try_for_each(|(mean, by)| check_standard("a channel", *mean, *by))
            }
        }
    }

    /// The shape of one input.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Columns(columns) => {
                let inputs = columns.iter().map(|column| match column {
                    ColumnEncoding::Number { .. } => 1,
                    ColumnEncoding::Categories { categories, .. } => categories.len(),
                });
                vec![inputs.sum()]
            }
            Self::Images { shape, .. } => shape.to_vec(),
        }
    }

    /// Inputs `[n, …]`, row-major.
    ///
    /// # Errors
    /// [`RunError::Schema`] where a column is missing or of another kind, a category is
    /// unknown, or images are of another size.
    pub fn encode(&self, records: &Records) -> Result<Vec<f32>, RunError> {
        match (self, records) {
            (Self::Columns(columns), Records::Table(table)) => encoded(columns, table),
            (
                Self::Images {
                    shape,
                    mean,
                    deviation,
                },
                Records::Images(images),
            ) => {
                if images.shape != *shape {
                    return Err(schema(format!(
                        "images of {:?} (channels, height, width), but the network was made for \
                         {shape:?}: scale them to that size",
                        images.shape
                    )));
                }
                let plane = (shape[1] * shape[2]).max(1);
                let number = |(index, pixel): (usize, &f32)| {
                    let channel = index / plane % shape[0];
                    ((f64::from(*pixel) - mean[channel]) / deviation[channel]) as f32
                };
                Ok(images.pixels.iter().enumerate().map(number).collect())
            }
            (Self::Columns(_), Records::Images(_)) => {
                Err(schema("images, but the network was made for a table"))
            }
            (Self::Images { .. }, Records::Table(_)) => {
                Err(schema("a table, but the network was made for images"))
            }
        }
    }
}

fn columns(table: &Table, target: &str, train: &[usize]) -> Result<InputSchema, RunError> {
    let mut columns = Vec::new();
    for column in table.columns.iter().filter(|column| column.name != target) {
        let name = column.name.clone();
        columns.push(match &column.cells {
            Cells::Numbers(numbers) => {
                let (mean, deviation) = standard(train.iter().map(|row| numbers[*row]));
                ColumnEncoding::Number {
                    column: name,
                    mean,
                    deviation,
                }
            }
            Cells::Texts(texts) => {
                let categories: BTreeSet<&String> = texts.iter().collect();
                // A name or a number of its own for each row tells nothing of another row.
                if categories.len() > MOST_CATEGORIES {
                    return Err(schema(format!(
                        "column `{name}` has {} different texts, which are too many for \
                         categories (at most {MOST_CATEGORIES}): leave it out of the file",
                        categories.len()
                    )));
                }
                ColumnEncoding::Categories {
                    column: name,
                    categories: categories.into_iter().cloned().collect(),
                }
            }
        });
    }
    match columns.is_empty() {
        true => Err(schema("no column is left to predict from")),
        false => Ok(InputSchema::Columns(columns)),
    }
}

/// Categories of one column.
const MOST_CATEGORIES: usize = 200;

fn of_images(images: &LabelledImages, train: &[usize]) -> InputSchema {
    let [channels, height, width] = images.shape;
    let plane = height * width;
    let (mut mean, mut deviation) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        let pixels = train.iter().flat_map(|row| {
            let start = (row * channels + channel) * plane;
            images.pixels[start..start + plane].iter().copied()
        });
        let (own, by) = standard(pixels.map(f64::from));
        mean.push(own);
        deviation.push(by);
    }
    InputSchema::Images {
        shape: images.shape,
        mean,
        deviation,
    }
}

fn encoded(columns: &[ColumnEncoding], table: &Table) -> Result<Vec<f32>, RunError> {
    let mut cells = Vec::new();
    for encoding in columns {
        let (ColumnEncoding::Number { column, .. } | ColumnEncoding::Categories { column, .. }) =
            encoding;
        let found = table.column(column);
        let found = found.ok_or_else(|| schema(format!("the column `{column}` is missing")))?;
        cells.push(&found.cells);
    }
    let mut inputs = Vec::new();
    for row in 0..table.rows() {
        for (encoding, cells) in columns.iter().zip(&cells) {
            match (encoding, cells) {
                (
                    ColumnEncoding::Number {
                        mean, deviation, ..
                    },
                    Cells::Numbers(numbers),
                ) => inputs.push(((numbers[row] - mean) / deviation) as f32),
                (ColumnEncoding::Number { column, .. }, Cells::Texts(texts)) => {
                    return Err(schema(format!(
                        "row {}, column `{column}`: `{}` where the network was made for numbers",
                        row + 1,
                        texts[row]
                    )));
                }
                (ColumnEncoding::Categories { column, categories }, cells) => {
                    let text = match cells {
                        Cells::Texts(texts) => texts[row].clone(),
                        Cells::Numbers(numbers) => numbers[row].to_string(),
                    };
                    let Ok(known) = categories.binary_search(&text) else {
                        return Err(schema(format!(
                            "row {}, column `{column}`: `{text}` is none of the categories that \
                             the network was made for ({})",
                            row + 1,
                            shown(categories)
                        )));
                    };
                    inputs.extend((0..categories.len()).map(|at| f32::from(u8::from(at == known))));
                }
            }
        }
    }
    Ok(inputs)
}

/// The first few of many.
fn shown(categories: &[String]) -> String {
    let mut text = categories[..categories.len().min(8)].join(", ");
    if categories.len() > 8 {
        text += ", …";
    }
    text
}
