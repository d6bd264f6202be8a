//! How well a sequence of tasks was learned, and kept.

use serde::{Deserialize, Serialize};

use crate::error::ContinualError;

/// Accuracies `a[i][j]` on the test set of task `j` once task `i` was learned, `j ≤ i`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccuracyMatrix {
    rows: Vec<Vec<f64>>,
}

impl AccuracyMatrix {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the accuracies on all tasks so far, once one more was learned.
    ///
    /// # Errors
    /// [`ContinualError::Settings`] unless there is one for each task learned.
    pub fn push(&mut self, accuracies: Vec<f64>) -> Result<(), ContinualError> {
        let expected = self.rows.len() + 1;
        if accuracies.len() != expected {
            return Err(ContinualError::Settings(format!(
                "{} accuracies after {expected} tasks: each task learned so far needs one",
                accuracies.len()
            )));
        }
        self.rows.push(accuracies);
        Ok(())
    }

    /// The accuracies after each task.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// The mean over all tasks of the accuracy at the end, `1/T Σ_j a[T][j]`; `None` of no task.
    pub fn average_accuracy(&self) -> Option<f64> {
        let last = self.rows.last()?;
        Some(last.iter().sum::<f64>() / last.len() as f64)
    }

    /// The mean over all tasks but the last of what was lost of the best accuracy on them,
    /// `1/(T−1) Σ_j max_{i<T} a[i][j] − a[T][j]` (Chaudhry et al., arXiv 1801.10112, equation 3);
    /// `None` of less than two tasks. Negative where later tasks helped.
    pub fn forgetting(&self) -> Option<f64> {
        let (last, before) = self.rows.split_last()?;
        if before.is_empty() {
            return None;
        }
        let lost = (0..before.len()).map(|task| {
            let at = before.iter().filter_map(|row| row.get(task));
            at.copied().fold(f64::NEG_INFINITY, f64::max) - last[task]
        });
        Some(lost.sum::<f64>() / before.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Task 0: 0.9, 0.7, 0.8 → best 0.9, lost 0.1. Task 1: 0.6, 0.65 → best 0.6, lost −0.05.
    #[test]
    fn forgetting_is_that_of_a_count_by_hand() -> Result<(), ContinualError> {
        let mut matrix = AccuracyMatrix::new();
        assert_eq!(
            (matrix.average_accuracy(), matrix.forgetting()),
            (None, None)
        );
        matrix.push(vec![0.9])?;
        assert_eq!(
            (matrix.average_accuracy(), matrix.forgetting()),
            (Some(0.9), None)
        );
        matrix.push(vec![0.7, 0.6])?;
        assert!((matrix.forgetting().unwrap_or(0.0) - 0.2).abs() < 1e-12);
        matrix.push(vec![0.8, 0.65, 0.5])?;
        assert!((matrix.average_accuracy().unwrap_or(0.0) - 0.65).abs() < 1e-12);
        assert!((matrix.forgetting().unwrap_or(0.0) - 0.025).abs() < 1e-12);
        assert!(matrix.push(vec![0.8, 0.65, 0.5]).is_err());
        Ok(())
    }
}
