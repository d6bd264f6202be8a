//! Growable layers, surgery and the grower for Burn models.
//!
//! A model becomes growable by two changes: growable layers stand where it
//! may grow, and [`Growable`] says which layer feeds which. One growth step is
//! [`capture`](capture::capture) → criterion → selector (both of `burgeon-core`) →
//! [`line_search`](grower::line_search) →
//! [`apply_plan`](surgery::apply_plan) → [`carry_optimizer`](surgery::carry_optimizer);
//! the [`Grower`] is only that, in a loop with training, observers and checkpoints.

pub mod capture;
mod checkpoint;
pub mod cost;
pub mod error;
pub mod growable;
pub mod grower;
pub mod layers;
mod mode;
pub mod objective;
pub mod observer;
mod passes;
mod recording;
mod rehearsal;
pub mod samples;
mod spectra;
pub mod surgery;
pub mod topology;
pub mod weights;

pub use error::NnError;
pub use growable::{Evaluation, Growable};
pub use grower::{Grower, GrowerConfig, LearningRate, StepSize, Task, Trigger};
pub use layers::{
    GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d, GrowableDepthwiseConv2dConfig,
    GrowableLinear, GrowableLinearConfig,
};
pub use objective::{CrossEntropy, MeanSquaredError, Objective};
pub use passes::ForwardPasses;
pub use samples::{Rows, Samples, Targets};
pub use spectra::{SpectrumConfig, capture_spectra, capture_with_passes};
pub use topology::Topology;
