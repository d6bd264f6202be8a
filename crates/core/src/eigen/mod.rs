//! Spectra: the extremal eigenpairs of splitting matrices, by three ways that can stand
//! for each other: [`Method::Dense`], [`Method::Krylov`] and [`Method::Rayleigh`].

mod dense;
mod general;
mod krylov;
mod operator;
mod rayleigh;
mod solver;
mod team;

pub use crate::spectrum::{Eigenpair, KrylovLimits, Method, SiteSpectra, Spectrum, verified_pair};
pub use dense::{dense_spectra, spectrum};
pub use general::GeneralNeurons;
pub use operator::{CapturedOperator, Directions, SiteShape, SplittingOperator, apply};
pub use rayleigh::RayleighDescent;
pub use solver::SpectrumSolver;
pub use team::TeamOperator;
