//! NumPy archives.

use std::collections::BTreeMap;
use std::path::Path;

use super::Records;
use super::npy::Array;
use super::table::{Cells, Column, LabelledImages, Table};
use crate::error::DataError;
use crate::zip;

/// Names of the inputs, and of the targets.
const INPUTS: [&str; 5] = ["x", "X", "inputs", "images", "data"];
const TARGETS: [&str; 5] = ["y", "Y", "targets", "labels", "target"];

/// The target's column.
const TARGET: &str = "y";

/// Inputs `[n, d]`, as columns `x0`, `x1` and so on, or images `[n, height, width]` and
/// `[n, channels, height, width]`; targets `[n]` as the column `y`, or as labels.
///
/// # Errors
/// [`DataError::Format`] where an array is missing, of another shape or of no numbers.
pub(super) fn read_npz(path: &Path, bytes: &[u8]) -> Result<Records, DataError> {
    let refuse = |problem: String| DataError::format(path.display(), problem);
    let members = arrays(bytes).map_err(|error| refuse(format!("a damaged archive: {error}")))?;
    let find = |known: &[&'static str]| -> Option<&'static str> {
        let is_there = |name: &&&str| members.contains_key(**name);
        known.iter().find(is_there).copied()
    };
    let inputs = find(&INPUTS).ok_or_else(|| {
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        refuse(format!(
            "no inputs: an array called x is needed, there are {}",
            names.join(", ")
        ))
    })?;
    let read = |name: &str| -> Result<Array, DataError> {
        let bytes = members.get(name).map_or(&[][..], Vec::as_slice);
        Array::parse(bytes).map_err(|problem| refuse(format!("array `{name}`: {problem}")))
    };
    let x = read(inputs)?;
    let y = find(&TARGETS).map(read).transpose()?;
    let samples = x.shape.first().copied().unwrap_or(1);
    if let Some(y) = &y
        && (y.shape.len() != 1 || y.shape[0] != samples)
    {
        return Err(refuse(format!(
            "targets of shape {:?} for inputs of shape {:?}: one target for each is needed",
            y.shape, x.shape
        )));
    }
    match x.shape[..] {
        [_, inputs] => {
            let column = |index: usize| Column {
                name: format!("x{index}"),
                cells: Cells::Numbers(
                    x.values
                        .iter()
                        .skip(index)
                        .step_by(inputs)
                        .copied()
                        .collect(),
                ),
            };
            let mut columns: Vec<Column> = (0..inputs).map(column).collect();
            columns.extend(y.map(|y| Column {
                name: TARGET.into(),
                cells: Cells::Numbers(y.values),
            }));
            Ok(Records::Table(Table { columns }))
        }
        [_, height, width] => Ok(images([1, height, width], x, y)),
        [_, channels, height, width] => Ok(images([channels, height, width], x, y)),
        _ => Err(refuse(format!(
            "inputs of shape {:?}: [n, d], [n, height, width] or [n, channels, height, width] is \
             needed",
            x.shape
        ))),
    }
}

/// The arrays of an archive by their names, without `.npy`.
fn arrays(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let members = zip::members(bytes, |name| name.ends_with(".npy"))?.into_iter();
    let named = members.map(|(name, bytes)| (name.trim_end_matches(".npy").to_owned(), bytes));
    Ok(named.collect())
}

/// The numbers of the named arrays of an archive, in the order of the names.
///
/// # Errors
/// What is wrong with the archive, or which array it lacks.
pub(crate) fn numpy_arrays(bytes: &[u8], names: &[&str]) -> Result<Vec<Vec<f64>>, String> {
    let members = arrays(bytes)?;
    let read = |name: &&str| {
        let member = members
            .get(*name)
            .ok_or(format!("it has no array `{name}`"))?;
        let array = Array::parse(member).map_err(|problem| format!("array `{name}`: {problem}"))?;
        Ok(array.values)
    };
    names.iter().map(read).collect()
}

fn images(shape: [usize; 3], x: Array, y: Option<Array>) -> Records {
    let scale = if x.is_bytes { 255.0 } else { 1.0 };
    let label = |value: f64| value.to_string();
    Records::Images(LabelledImages {
        shape,
        pixels: x
            .values
            .iter()
            .map(|value| (value / scale) as f32)
            .collect(),
        labels: y.map_or_else(Vec::new, |y| y.values.into_iter().map(label).collect()),
    })
}
