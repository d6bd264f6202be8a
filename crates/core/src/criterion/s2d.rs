//! Splitting steepest descent.

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Criterion, spectral_candidates};
use crate::backend::SplitBackend;
use crate::capture::Capture;
use crate::error::CoreError;
use crate::scheme::{Scheme, WeightBound};

/// S2D (arXiv 1910.02366): split along `±v_min` every neuron whose smallest
/// eigenvalue is negative; the gain is `−½ λ_min`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SteepestDescent;

impl Criterion for SteepestDescent {
    fn name(&self) -> &'static str {
        "s2d"
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
        let schemes = [Scheme::Positive2];
        spectral_candidates(capture, backend, &schemes, WeightBound::POSITIVE)
    }
}
