//! The papers' tables and figures, one module each, through the public API only.

pub mod error;
pub mod golden;

pub use error::ExperimentError;
