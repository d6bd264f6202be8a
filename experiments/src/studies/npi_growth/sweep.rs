//! Networks of fixed widths at the cost of one that grew.

use serde::{Deserialize, Serialize};

use super::grown::{Learner, Price};
use crate::error::ExperimentError;
use crate::study::UnitContext;

/// Units of each LSTM layer.
pub(super) const WIDTHS: [usize; 6] = [2, 3, 4, 6, 8, 16];

/// A network of fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Scratch {
    /// Whether it was proved within the cost.
    pub proved: bool,
    /// Trained parameters.
    pub parameters: u64,
    /// Multiply-accumulates of one decision.
    pub macs: u64,
    /// Femtojoules of one decision.
    pub energy: u64,
    /// Multiply-accumulates of training.
    pub training_macs: u64,
}

/// One network of each width, trained until it is proved or has cost `budget`.
pub(super) fn sweep(
    task: &str,
    seed: u64,
    budget: u64,
    context: &UnitContext,
) -> Result<Vec<Scratch>, ExperimentError> {
    let of_width = |&width: &usize| {
        let mut learner = Learner::new(task, seed, width, context)?;
        let proved = loop {
            let exact = learner.phase(budget)?;
            if exact && learner.is_proved()? {
                break true;
            }
            if learner.training_macs >= budget {
                break false;
            }
        };
        let Price {
            parameters,
            macs,
            energy,
        } = learner.price()?;
        Ok(Scratch {
            proved,
            parameters,
            macs,
            energy,
            training_macs: learner.training_macs,
        })
    };
    WIDTHS.iter().map(of_width).collect()
}
