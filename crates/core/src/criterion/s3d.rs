//! Signed splitting steepest descent.

use super::{Candidate, Context, Criterion, spectral_candidates};
use crate::error::CoreError;
use crate::landscape::{Landscape, Needs};
use crate::scheme::{Scheme, WeightBound};

/// S3D (arXiv 2003.10392): outgoing weights of copies may be negative, with `Σ|w_i| ≤ c`.
/// For each neuron the scheme of largest gain per added neuron is the candidate, so
/// that neurons which plain splitting leaves stable (`λ_min ≥ 0`) can still be split.
#[derive(Debug, Clone, Copy)]
pub struct SignedSteepestDescent {
    bound: WeightBound,
}

impl SignedSteepestDescent {
    /// Signed splitting with the bound c; at c = 1 it is S2D.
    pub fn new(bound: WeightBound) -> Self {
        Self { bound }
    }
}

impl Criterion for SignedSteepestDescent {
    fn name(&self) -> &str {
        "s3d"
    }

    fn needs(&self) -> Needs {
        Needs::SPECTRA
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        _context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        spectral_candidates(landscape, &Scheme::DIRECTED, self.bound)
    }
}
