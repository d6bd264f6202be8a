//! What answers mean.

use serde::Serialize;

use crate::schema::TargetSchema;

/// What is predicted for one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// A class.
    Class {
        /// Its name.
        class: String,
        /// The probability that the network gives it.
        probability: f64,
    },
    /// A number, in the units of the data.
    Number {
        /// The number.
        value: f64,
    },
}

/// The predictions that `answers` `[n, outputs]` are: logits of classes, or standardised numbers.
///
/// ```
/// use burgeon_run::{Prediction, TargetSchema, predictions};
///
/// let names = ["cat", "dog"].map(str::to_owned).to_vec();
/// let target = TargetSchema::Classes { column: "animal".into(), names };
/// let predicted = predictions(&target, &[0.0, 9.0]);
/// assert!(matches!(&predicted[0], Prediction::Class { class, .. } if class == "dog"));
/// ```
pub fn predictions(target: &TargetSchema, answers: &[f64]) -> Vec<Prediction> {
    match target {
        TargetSchema::Classes { names, .. } => answers
            .chunks_exact(names.len().max(1))
            .map(|logits| class(names, logits))
            .collect(),
        TargetSchema::Number {
            mean, deviation, ..
        } => answers
            .iter()
            .map(|answer| Prediction::Number {
                value: answer * deviation + mean,
            })
            .collect(),
    }
}

/// The class of the largest logit, with its share of the exponentials.
fn class(names: &[String], logits: &[f64]) -> Prediction {
    let most = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let (class, largest) = most.map_or((0, 0.0), |(class, logit)| (class, *logit));
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    Prediction::Class {
        class: names[class].clone(),
        probability: 1.0 / sum,
    }
}
