//! Splitting steepest descent.

use super::{Candidate, Context, Criterion, spectral_candidates};
use crate::error::CoreError;
use crate::landscape::{Landscape, Needs};
use crate::scheme::{Scheme, WeightBound};

/// S2D (arXiv 1910.02366): split along `±v_min` every neuron whose smallest
/// eigenvalue is negative; the gain is `−½ λ_min`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SteepestDescent;

impl Criterion for SteepestDescent {
    fn name(&self) -> &str {
        "s2d"
    }

    fn needs(&self) -> Needs {
        Needs::SPECTRA
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        _context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let schemes = [Scheme::Positive2];
        spectral_candidates(landscape, &schemes, WeightBound::POSITIVE)
    }
}
