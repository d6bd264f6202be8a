//! Any Burn model as something that grows: trace, replay, capture, search, surgery.
//!
//! A model says by [`Growable`] what it reads and answers, and nothing else. Its own forward pass
//! is traced ([`trace()`]): what it computes, which channels belong together, and where it may
//! grow, which the trace's graph prints. The recorded operations are replayed with instruments,
//! which find the curvature of each site and the losses of grown networks: a [`ModelLandscape`],
//! of which the criteria of `burgeon-core` ask. What they choose is made by
//! [`apply_plan`](surgery::apply_plan).
//!
//! `burgeon-train` trains, and has the growth step that joins all of this.

mod any;
pub mod architecture;
pub mod capture;
mod checkpointing;
mod copies;
pub mod cost;
mod edits;
pub mod error;
mod fit;
mod gradient;
pub mod growable;
pub mod hash;
pub mod landscape;
mod lengthen;
mod moments;
pub mod objective;
mod part;
mod passes;
pub mod ports;
mod replay;
pub mod samples;
pub mod search;
mod sites;
pub mod source;
mod spectra;
pub mod stack;
mod statistics;
pub mod stored;
pub mod surgery;
mod trace;
pub mod weights;
mod width_cost;
#[cfg(test)]
#[path = "../tests/zoo/mod.rs"]
mod zoo;

pub use any::{AnyInput, AnyModel, AnyOutput, AnySource};
pub use architecture::Architecture;
pub use error::NnError;
pub use growable::{Evaluation, Growable};
pub use landscape::ModelLandscape;
pub use objective::{CrossEntropy, MeanSquaredError, Objective, WeightedCrossEntropy};
pub use passes::ForwardPasses;
pub use ports::{Input, Output};
pub use replay::Network;
pub use samples::{Samples, Targets};
pub use source::Source;
pub use spectra::{SpectrumConfig, capture_spectra, capture_with_passes};
pub use stack::{Block, Stack, Stacks};
pub use trace::{Recorded, Trace, retrace, trace};
pub use width_cost::WidthCost;
