//! The settings of training and growing: four plain parts, each checked when a run is made.

mod budget;
mod config;
mod growth;
mod schedule;
mod train;
mod widths;

pub use budget::Budget;
pub use config::GrowerConfig;
pub use growth::{Accept, FanIn, GrowthConfig, NewStatistics, SearchSamples, StepSize};
pub use schedule::{Schedule, Trigger};
pub use train::{NewWeightRate, TrainConfig};
pub use widths::WidthLimits;

use burgeon_nn::NnError;

/// Refuses numbers that must be at least 1.
fn check_counts(counts: &[(&str, usize)]) -> Result<(), NnError> {
    match counts.iter().find(|(_, value)| *value == 0) {
        Some((what, _)) => Err(NnError::Settings(format!("{what} must be at least 1"))),
        None => Ok(()),
    }
}
