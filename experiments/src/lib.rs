//! The papers' tables and figures, one module each, through the public API only.
//!
//! A study is a list of independent units (a method with a seed, say), which
//! [`study::run_units`] runs and keeps; its report is tables and figures as data, which
//! `cargo xtask reproduce` renders.

pub mod error;
pub mod golden;
mod layers;
pub mod report;
pub mod statistics;
pub mod studies;
pub mod study;

pub use error::ExperimentError;
pub use study::{Scale, Study, StudySettings};
