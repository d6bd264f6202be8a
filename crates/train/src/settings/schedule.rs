//! When a run grows, and when it ends.

use burgeon_nn::NnError;
use serde::{Deserialize, Serialize};

use super::check_counts;

/// When a run grows, and when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// When training gives way to growth.
    pub trigger: Trigger,
    /// Epochs of training altogether.
    pub max_epochs: usize,
    /// Growth steps; 0 trains a network of fixed size.
    pub max_growths: Option<usize>,
    /// Growths in a row that may be refused before growing ends.
    pub max_refusals: usize,
    /// Whether the run ends when growing does, because something else follows; else training goes
    /// on to its own end.
    pub ends_with_growth: bool,
    /// Held accuracy, between 0 and 1, at which to stop.
    pub target_accuracy: Option<f64>,
    /// Epochs in a row without a lower held loss, since the last growth, after which to stop.
    pub patience: Option<usize>,
}

impl Default for Schedule {
    /// Two growths in the first third of 100 epochs: few growths, the last one well before the
    /// rate falls, are better than many.
    fn default() -> Self {
        Self {
            trigger: Trigger::Spread {
                growths: 2,
                until: 0.3,
            },
            max_epochs: 100,
            max_growths: None,
            max_refusals: 3,
            ends_with_growth: false,
            target_accuracy: None,
            patience: None,
        }
    }
}

impl Schedule {
    /// # Errors
    /// [`NnError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), NnError> {
        check_counts(&[
            ("the number of epochs", self.max_epochs),
            ("the number of refusals", self.max_refusals),
            ("the patience", self.patience.unwrap_or(1)),
        ])?;
        let trigger_is_right = match self.trigger {
            Trigger::Spread { until, .. } => (0.0..=1.0).contains(&until),
            Trigger::Every { epochs } => epochs > 0,
            Trigger::Stall {
                patience,
                min_decrease,
                max_epochs,
            } => patience > 0 && max_epochs > 0 && min_decrease >= 0.0,
        };
        if !trigger_is_right {
            return Err(NnError::Settings(format!(
                "trigger {:?}: epochs and patience must be at least 1, the decrease not negative, \
                 shares between 0 and 1",
                self.trigger
            )));
        }
        match self.target_accuracy {
            Some(target) if !(0.0..=1.0).contains(&target) => Err(NnError::Settings(format!(
                "target accuracy {target}: it must be between 0 and 1"
            ))),
            _ => Ok(()),
        }
    }
}

/// When training gives way to growth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// So many growths, spread evenly over the first part of the run: growth `k` comes when
    /// `until · k / growths` of the run's epochs or training cost are spent.
    Spread {
        /// Growth steps altogether.
        growths: usize,
        /// The share of the run at which the last one comes, from 0 to 1.
        until: f64,
    },
    /// After a fixed number of epochs.
    Every {
        /// Epochs between growths.
        epochs: usize,
    },
    /// When the training loss stalls.
    Stall {
        /// Epochs without enough progress.
        patience: usize,
        /// The relative decrease of the best training loss that counts as progress.
        min_decrease: f64,
        /// Epochs after which growth comes anyway.
        max_epochs: usize,
    },
}
