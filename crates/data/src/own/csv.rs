//! CSV with a line of names.

use std::collections::HashSet;
use std::fmt::Display;

use ::csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::table::{Cells, Column, Table};
use super::{Missing, ReadOptions};
use crate::error::DataError;

/// What a cell without a value holds.
const MISSING: [&str; 6] = ["", "?", "NA", "N/A", "NaN", "nan"];

/// A column with at least this share of numbers is meant to be one of numbers.
const NUMBERS: f64 = 0.8;

/// A table of the CSV text `bytes`; `what` names it in errors. A column all of whose cells are
/// numbers holds numbers, any other one categories.
///
/// # Errors
/// [`DataError::Format`] with the line, the column and what to do.
pub fn read_csv(
    what: impl Display,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<Table, DataError> {
    let what = what.to_string();
    let refuse = |problem: String| DataError::format(&what, problem);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        refuse(format!(
            "line {line} is not UTF-8 text: save the file as CSV in UTF-8"
        ))
    })?;
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.ok_or_else(|| refuse("the file is empty".into()))?;
    let delimiter = options.delimiter.unwrap_or_else(|| delimiter_of(first));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| refuse(said(&error)))?;
        records.push((record.position().map_or(0, ::csv::Position::line), record));
    }
    let width = records.first().map_or(0, |(_, record)| record.len());
    if width < 2 {
        return Err(refuse(format!(
            "only one column is there when cells are separated by `{}`: say what separates them \
             (--delimiter)",
            delimiter as char
        )));
    }
    let names = match options.no_header {
        true => (1..=width).map(|n| format!("column {n}")).collect(),
        false => names(records.remove(0).1).map_err(refuse)?,
    };
    for name in &options.categories {
        if !names.contains(name) {
            return Err(refuse(format!(
                "there is no column `{name}`: the columns are {}",
                listed(&names)
            )));
        }
    }
    let mut kept = Vec::new();
    for (line, record) in records {
        let missing = record.iter().position(|cell| MISSING.contains(&cell));
        match (missing, options.missing) {
            (Some(column), Missing::Refuse) => {
                return Err(refuse(format!(
                    "line {line}, column `{}`: the value is missing: fill it in, or leave out rows \
                     with missing values (--drop-missing)",
                    names[column]
                )));
            }
            (Some(_), Missing::DropRow) => {}
            (None, _) => kept.push((line, record)),
        }
    }
    if kept.is_empty() {
        return Err(refuse("there is no row with values below the names".into()));
    }
    let columns = names.iter().enumerate().map(|(index, name)| {
        let cells = match options.categories.contains(name) {
            true => texts(&kept, index),
            false => cells(&kept, index, name).map_err(refuse)?,
        };
        Ok(Column {
            name: name.clone(),
            cells,
        })
    });
    let columns = columns.collect::<Result<_, DataError>>()?;
    Ok(Table { columns })
}

/// What separates the cells of the first line: the most frequent of the usual ones.
fn delimiter_of(line: &str) -> u8 {
    let count = |delimiter: &u8| line.bytes().filter(|byte| byte == delimiter).count();
    // The last of equal ones is taken, so the most usual stands last.
    let usual = [b'|', b'\t', b';', b','].into_iter();
    usual.max_by_key(count).unwrap_or(b',')
}

fn names(header: StringRecord) -> Result<Vec<String>, String> {
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(
            "the first line holds numbers where names of columns should be: add a line of \
                    names, or say that there is none (--no-header)"
                .into(),
        );
    }
    let mut seen = HashSet::new();
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!(
                "column {} has no name in the first line",
                index + 1
            ));
        }
        if !seen.insert(name) {
            return Err(format!(
                "two columns are called `{name}`: give them different names"
            ));
        }
    }
    Ok(names)
}

fn texts(rows: &[(u64, StringRecord)], index: usize) -> Cells {
    Cells::Texts(rows.iter().map(|(_, row)| row[index].to_owned()).collect())
}

fn cells(rows: &[(u64, StringRecord)], index: usize, name: &str) -> Result<Cells, String> {
    let numbers: Vec<Option<f64>> = rows
        .iter()
        .map(|(_, row)| row[index].parse().ok())
        .collect();
    let other = numbers.iter().position(Option::is_none);
    let Some(other) = other else {
        let numbers: Vec<f64> = numbers.into_iter().flatten().collect();
        return match numbers.iter().position(|number| !number.is_finite()) {
            Some(row) => Err(format!(
                "line {}, column `{name}`: `{}` is not a finite number",
                rows[row].0, &rows[row].1[index]
            )),
            None => Ok(Cells::Numbers(numbers)),
        };
    };
    let count = numbers.iter().flatten().count();
    if count as f64 >= NUMBERS * numbers.len() as f64 {
        return Err(format!(
            "line {}, column `{name}`: `{}` is no number, but {count} of the column's {} cells \
             are: mend it, or say that the column holds categories (--category \"{name}\")",
            rows[other].0,
            shown(&rows[other].1[index]),
            numbers.len()
        ));
    }
    Ok(texts(rows, index))
}

/// A cell as a message shows it.
fn shown(cell: &str) -> String {
    match cell.chars().count() > 40 {
        true => cell.chars().take(39).chain(['…']).collect(),
        false => cell.to_owned(),
    }
}

fn said(error: &::csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => format!(
            "line {}: {len} cells where the first line has {expected_len}: is a delimiter or a \
             quote missing?",
            pos.as_ref().map_or(0, ::csv::Position::line)
        ),
        _ => error.to_string(),
    }
}

/// Names in a message: the first few of many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
