//! Targets.

use std::collections::BTreeMap;

use burgeon_data::own::{Cells, Records};
use serde::{Deserialize, Serialize};

use super::{check_standard, standard};
use crate::error::{RunError, schema};

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A class.
    Classification,
    /// A number.
    Regression,
}

/// A column of whole numbers with at most so many different ones holds classes.
const MOST_CLASSES: usize = 20;

/// What images are labelled by, where a table has a column's name.
const LABEL: &str = "label";

/// The target, with what predictions are turned back by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetSchema {
    /// One of some classes.
    Classes {
        /// The column.
        column: String,
        /// The classes: numbers by their size, texts in their order.
        names: Vec<String>,
    },
    /// A number, of which the network predicts `(value − mean) / deviation`.
    Number {
        /// The column.
        column: String,
        /// Mean over the training rows.
        mean: f64,
        /// Standard deviation over the training rows.
        deviation: f64,
    },
}

/// Targets as a network is trained on.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// A class for each row, by number.
    Classes(Vec<usize>),
    /// A standardised number for each row.
    Numbers(Vec<f32>),
}

impl TargetSchema {
    pub(super) fn of(
        records: &Records,
        target: Option<&str>,
        goal: Option<Goal>,
        train: &[usize],
    ) -> Result<Self, RunError> {
        let table = match records {
            Records::Table(table) => table,
            Records::Images(images) => {
                if images.labels.is_empty() {
                    return Err(schema(
                        "the images have no classes: put those of each class into a folder of its \
                         own",
                    ));
                }
                if goal == Some(Goal::Regression) {
                    return Err(schema(
                        "images have classes: numbers are learned from tables",
                    ));
                }
                return classes(LABEL.into(), &Cells::Texts(images.labels.clone()));
            }
        };
        let column = match target {
            None => table.columns.last(),
            Some(name) => table.column(name),
        };
        let column = column.ok_or_else(|| {
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            schema(format!(
                "there is no column `{}`: the columns are {}",
                target.unwrap_or_default(),
                names.join(", ")
            ))
        })?;
        let name = column.name.clone();
        let goal = goal.unwrap_or_else(|| usual(&column.cells));
        match (goal, &column.cells) {
            (Goal::Classification, cells) => classes(name, cells),
            (Goal::Regression, Cells::Numbers(numbers)) => {
                let own = train.iter().map(|row| numbers[*row]);
                let (mean, deviation) = standard(own.clone());
                if own.clone().all(|value| value == mean) {
                    return Err(schema(format!(
                        "column `{name}` is {mean} in every row: there is nothing to learn"
                    )));
                }
                Ok(Self::Number {
                    column: name,
                    mean,
                    deviation,
                })
            }
            (Goal::Regression, Cells::Texts(_)) => Err(schema(format!(
                "column `{name}` holds texts, of which no number is learned: use classification"
            ))),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Classes { column, names } if names.len() < 2 => Err(format!(
                "{column}: {} classes, at least 2 are needed",
                names.len()
            )),
            Self::Classes { .. } => Ok(()),
            Self::Number {
                column,
                mean,
                deviation,
            } => check_standard(column, *mean, *deviation),
        }
    }

    /// The column.
    pub fn column(&self) -> &str {
        match self {
            Self::Classes { column, .. } | Self::Number { column, .. } => column,
        }
    }

    /// What is predicted.
    pub fn goal(&self) -> Goal {
        match self {
            Self::Classes { .. } => Goal::Classification,
            Self::Number { .. } => Goal::Regression,
        }
    }

    /// How many numbers a network answers with.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { names, .. } => names.len(),
            Self::Number { .. } => 1,
        }
    }

    /// The targets of `records`.
    ///
    /// # Errors
    /// [`RunError::Schema`] where there are none, or one is of no known class.
    pub fn encode(&self, records: &Records) -> Result<Targets, RunError> {
        let cells = match records {
            Records::Images(images) if !images.labels.is_empty() => {
                Cells::Texts(images.labels.clone())
            }
            Records::Images(_) => return Err(schema("the images have no classes")),
            Records::Table(table) => {
                let column = table.column(self.column());
                let missing = || schema(format!("the column `{}` is missing", self.column()));
                column.ok_or_else(missing)?.cells.clone()
            }
        };
        match self {
            Self::Classes { names, .. } => {
                let known: BTreeMap<&str, usize> = names
                    .iter()
                    .enumerate()
                    .map(|(class, name)| (name.as_str(), class))
                    .collect();
                let classes = texts(&cells).into_iter().enumerate().map(|(row, text)| {
                    known.get(text.as_str()).copied().ok_or_else(|| {
                        schema(format!(
                            "row {}: `{text}` is none of the classes {}",
                            row + 1,
                            names.join(", ")
                        ))
                    })
                });
                Ok(Targets::Classes(classes.collect::<Result<_, _>>()?))
            }
            Self::Number {
                mean, deviation, ..
            } => match cells {
                Cells::Numbers(numbers) => {
                    let scaled = numbers.into_iter().map(|v| ((v - mean) / deviation) as f32);
                    Ok(Targets::Numbers(scaled.collect()))
                }
                Cells::Texts(_) => Err(schema(format!(
                    "the column `{}` holds texts where numbers are needed",
                    self.column()
                ))),
            },
        }
    }
}

/// What a column is predicted as where nothing is said.
fn usual(cells: &Cells) -> Goal {
    let Cells::Numbers(numbers) = cells else {
        return Goal::Classification;
    };
    let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
    match is_whole && different(numbers) <= MOST_CLASSES {
        true => Goal::Classification,
        false => Goal::Regression,
    }
}

fn different(numbers: &[f64]) -> usize {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}

fn texts(cells: &Cells) -> Vec<String> {
    match cells {
        Cells::Texts(texts) => texts.clone(),
        Cells::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
    }
}

fn classes(column: String, cells: &Cells) -> Result<TargetSchema, RunError> {
    let mut names = texts(cells);
    names.sort();
    names.dedup();
    let numbers: Result<Vec<f64>, _> = names.iter().map(|name| name.parse::<f64>()).collect();
    if let Ok(numbers) = numbers {
        let mut both: Vec<(f64, String)> = numbers.into_iter().zip(names).collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        names = both.into_iter().map(|(_, name)| name).collect();
    }
    let rows = cells.len();
    if names.len() < 2 {
        return Err(schema(format!(
            "`{column}` is {} everywhere: with one class there is nothing to learn",
            names.first().map_or("missing", String::as_str)
        )));
    }
    if 2 * names.len() > rows {
        return Err(schema(format!(
            "`{column}` has {} classes in {rows} rows: most have one example only. If it is a \
             number to be predicted, say so (--task regression)",
            names.len()
        )));
    }
    Ok(TargetSchema::Classes { column, names })
}
