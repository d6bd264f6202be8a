//! Signed splitting steepest descent.

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Criterion, spectral_candidates};
use crate::backend::SplitBackend;
use crate::capture::Capture;
use crate::error::CoreError;
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
    fn name(&self) -> &'static str {
        "s3d"
    }

    fn needs_curvature(&self) -> bool {
        true
    }

    fn candidates(
        &self,
        capture: &Capture,
        backend: &dyn SplitBackend,
        _rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Candidate>, CoreError> {
        spectral_candidates(capture, backend, &Scheme::DIRECTED, self.bound)
    }
}
