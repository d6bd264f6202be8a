//! What is searched, and who tells what it is worth.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::error::CoexploreError;

/// What the hardware model says of a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The time of a sample that the specification limits: a latency, or a pipeline's period.
    /// Infinite where the hardware cannot run the child.
    #[serde(with = "finite_or_none")]
    pub time: f64,
    /// The specification, in the same unit.
    pub limit: f64,
    /// For each stage the share of the limit that it works; `None` where it takes longer or cannot
    /// run.
    pub utilisation: Vec<Option<f64>>,
}

impl Measured {
    /// Of the times of all stages.
    pub fn new(times: &[f64], limit: f64) -> Self {
        let share = |time: &f64| (*time <= limit).then(|| time / limit);
        Self {
            time: times.iter().copied().fold(0.0, f64::max),
            limit,
            utilisation: times.iter().map(share).collect(),
        }
    }

    /// Whether every stage meets the specification.
    pub fn is_feasible(&self) -> bool {
        self.utilisation.iter().all(Option::is_some)
    }

    /// The mean of the stages' utilisations; `None` unless all meet the specification.
    pub fn mean_utilisation(&self) -> Option<f64> {
        let sum: Option<f64> = self.utilisation.iter().copied().sum();
        sum.map(|sum| sum / self.utilisation.len() as f64)
    }
}

/// A space with its hardware model.
///
/// A child is a list of choices: of each decision, the number of what was chosen, stage after
/// stage.
pub trait Problem: Debug {
    /// For each stage, how many choices each of its decisions has.
    fn stages(&self) -> Vec<Vec<usize>>;

    /// What the hardware model says of `child`.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    fn measure(&self, child: &[usize]) -> Result<Measured, CoexploreError>;

    /// What is judged of `child`: two children of the same architecture have the same accuracy.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    fn architecture(&self, child: &[usize]) -> Result<Vec<usize>, CoexploreError>;
}

/// Tells what an architecture is worth.
pub trait Judge {
    /// The accuracy, from 0 to 1, on validation data, of what [`Problem::architecture`] gave;
    /// never on test data, which would be chosen by.
    ///
    /// # Errors
    /// [`CoexploreError::Judge`] where it cannot be told.
    fn accuracy(&mut self, architecture: &[usize]) -> Result<f64, CoexploreError>;
}

/// An infinite time as none: formats of text have no infinity.
mod finite_or_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        time.is_finite().then_some(time).serialize(serializer)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

/// Checks that `child` has one choice for each of `decisions`.
pub(crate) fn check_child(child: &[usize], decisions: &[usize]) -> Result<(), CoexploreError> {
    let error = |problem| {
        Err(CoexploreError::Child {
            child: child.to_vec(),
            problem,
        })
    };
    if child.len() != decisions.len() {
        return error("it has not one choice for each decision");
    }
    if child
        .iter()
        .zip(decisions)
        .any(|(choice, count)| choice >= count)
    {
        return error("a choice is not among those of its decision");
    }
    Ok(())
}
