//! Observers: who watches a run.

#[cfg(feature = "dashboard")]
mod dashboard;
mod journal;
mod progress;

#[cfg(feature = "dashboard")]
pub use dashboard::Dashboard;
pub use journal::{Journal, read_journal};
pub use progress::Progress;

use burgeon_nn::NnError;

use crate::records::{EpochRecord, GrowerState, GrowthEnd, GrowthRecord, StopReason};

/// What happens in a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run starts, or goes on from a checkpoint.
    Started(&'a GrowerState),
    /// An epoch was trained.
    Epoch(&'a EpochRecord),
    /// A growth step was made or refused.
    Growth(&'a GrowthRecord),
    /// Growing ended; training may go on.
    GrowingEnded(&'a GrowthEnd),
    /// The run ended.
    Stopped(&'a StopReason),
    /// The run was interrupted; its checkpoint, if it has one, can be resumed.
    Interrupted,
}

/// Watches a run.
pub trait Observer {
    /// Called for each event, in order.
    ///
    /// # Errors
    /// An error ends the run; the last checkpoint stays.
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError>;
}
