//! How records become a network's inputs and targets.

mod inputs;
mod target;

use burgeon_data::own::Records;
use serde::{Deserialize, Serialize};

pub use inputs::{ColumnEncoding, InputSchema};
pub use target::{Goal, TargetSchema, Targets};

use crate::error::RunError;

/// What a network was made for: its inputs, with what they are standardised by, and its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The inputs.
    pub inputs: InputSchema,
    /// The target.
    pub target: TargetSchema,
}

impl Schema {
    /// What `records` hold. Of a table, `target` names the column to be predicted (the last one
    /// where nothing is said); images have their classes. Means and deviations are those of the
    /// rows in `train`.
    ///
    /// # Errors
    /// [`RunError::Schema`] where there is nothing to learn: no such column, one class, no
    /// input.
    pub fn of(
        records: &Records,
        target: Option<&str>,
        goal: Option<Goal>,
        train: &[usize],
    ) -> Result<Self, RunError> {
        let target = TargetSchema::of(records, target, goal, train)?;
        let inputs = InputSchema::of(records, target.column(), train)?;
        Ok(Self { inputs, target })
    }

    /// Checks a schema that comes of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.inputs.check()?;
        self.target.check()
    }
}

/// Mean and standard deviation of some of `values`; a deviation of 0 becomes 1.
fn standard(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let square = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let deviation = square.sqrt();
    match deviation > 0.0 && deviation.is_finite() {
        true => (mean, deviation),
        false => (mean, 1.0),
    }
}

/// Checks what numbers are standardised by.
fn check_standard(what: &str, mean: f64, deviation: f64) -> Result<(), String> {
    match mean.is_finite() && deviation.is_finite() && deviation > 0.0 {
        true => Ok(()),
        false => Err(format!(
            "{what}: a mean of {mean} and a deviation of {deviation}; both must be finite, the \
             deviation above 0"
        )),
    }
}

/// Number of samples.
pub fn rows(records: &Records) -> usize {
    match records {
        Records::Table(table) => table.rows(),
        Records::Images(images) => images.len(),
    }
}
