//! Splitting mathematics for growing neural networks.
//!
//! This crate is pure: it knows neurons, splitting matrices, schemes, criteria,
//! costs and plans, and nothing of models, data sets, files or progress bars. One
//! growth step flows through it as
//! [`landscape`] → [`criterion`] → [`select`] → [`plan`]; `burgeon-nn` makes the landscape of
//! a Burn model before it and operates on the model after it.
//!
//! Sources: splitting steepest descent (arXiv 1910.02366), fast energy-aware
//! splitting (arXiv 1910.03103), signed splitting (arXiv 2003.10392).

pub mod backend;
pub mod block;
mod candidate;
pub mod capture;
pub mod cost;
pub mod criterion;
pub mod curvature;
pub mod eigen;
pub mod error;
pub mod gradient;
pub mod growth;
pub mod landscape;
pub mod moments;
mod place;
pub mod plan;
pub mod products;
mod row_sample;
pub mod scheme;
pub mod select;
pub mod spectrum;
#[cfg(feature = "testing")]
pub mod testing;
mod unit_vector;
pub mod world;

pub use backend::SplitBackend;
pub use block::{CurvatureBlock, SiteInput};
pub use burgeon_ops::{Activation, Window};
pub use candidate::Candidate;
pub use capture::{Capture, MAX_ADDED, Site};
pub use cost::{CostModel, Geometry, LayerKind, LayerShape};
pub use criterion::{Context, Criterion};
pub use curvature::Curvature;
pub use eigen::SpectrumSolver;
pub use error::CoreError;
pub use gradient::{GradientRequest, GradientSamples, GrowthGradient, PlanGradient, SlopeAtZero};
pub use growth::{Gain, Growth};
pub use landscape::{CapturedLandscape, Landscape, LineSearch, Needs, Trial};
pub use moments::{Moments, SiteMoments};
pub use place::{BlockWeights, Place};
pub use plan::{Plan, PlannedGrowth};
pub use row_sample::RowSample;
pub use scheme::{Offspring, Scheme, WeightBound};
pub use select::{Room, Selector};
pub use spectrum::{Eigenpair, Method, SiteSpectra, Spectrum};
pub use world::{Team, World};
