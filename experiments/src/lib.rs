//! The papers' tables and figures, one module each, through the public API only.
//!
//! A study is a list of independent units (a method with a seed, say), which
//! [`run_units`] runs and keeps; its report is tables and figures as data, which
//! `cargo xtask reproduce` renders.

mod comparison;
pub mod error;
pub mod golden;
mod kept;
mod nets;
mod recipe;
pub mod report;
mod results;
mod run;
pub mod statistics;
pub mod studies;
pub mod study;
mod units;

pub use error::ExperimentError;
pub use kept::kept_results;
pub use recipe::differences;
pub use run::{fits, run_unit, run_units};
pub use study::{Scale, Study, StudySettings};
pub use units::Units;
