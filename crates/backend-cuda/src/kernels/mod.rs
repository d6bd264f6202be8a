//! The kernels, written once for every CubeCL runtime, each with its launch.
//!
//! Launches read contiguous f32 and index in 32 bits; [`fits`] says whether a tensor is such.

mod curvature_weights;
mod eigen;
mod gram;
mod launch;
mod products;
#[cfg(all(test, feature = "cuda"))]
mod ptx_tests;

pub(crate) use curvature_weights::{Curve, curvature_weights};
pub(crate) use eigen::{LARGEST, symmetric_eigen};
pub(crate) use gram::weighted_gram;
pub(crate) use launch::fits;
pub(crate) use products::weighted_products;
