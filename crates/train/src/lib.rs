//! Training and growing any Burn model.
//!
//! A [`Trainer`] trains one epoch, a [`GrowthStep`] makes one growth, and a [`Grower`] joins them
//! in a run with a schedule, budgets, observers and checkpoints.

mod checkpoint;
mod grower;
mod newborn;
pub mod observer;
mod ranks;
mod rate;
mod records;
mod rounding;
mod settings;
mod step;
mod streams;
mod task;
mod trainer;
mod training_cost;

pub use checkpoint::{Difference, Identity, optimizer_fingerprint, remove_checkpoint};
pub use grower::{Advance, Grower, Outcome};
pub use newborn::{Cohort, Newborn};
pub use rate::{Decay, Plateau, PlateauState, RateSchedule, RunProgress, Span};
pub use records::{
    BestEpoch, EpochRecord, GrowerState, GrowthEnd, GrowthRecord, SiteGrowth, SiteSpectrum,
    StopReason, Verdict,
};
pub use settings::{
    Accept, Budget, FanIn, GrowerConfig, GrowthConfig, NewStatistics, NewWeightRate, Schedule,
    SearchSamples, StepSize, TrainConfig, Trigger, WidthLimits,
};
pub use step::{GrowthStep, Made, Subject};
pub use task::Task;
pub use trainer::{Fitted, Trainer};
