//! Random splitting.

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Criterion, undirected};
use crate::backend::SplitBackend;
use crate::capture::Capture;
use crate::error::CoreError;
use crate::scheme::Scheme;

/// Random splitting, the S2D paper's baseline: random neurons, moved by ±δ along
/// a random direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomSplit;

impl Criterion for RandomSplit {
    fn name(&self) -> &'static str {
        "random"
    }

    fn needs_curvature(&self) -> bool {
        false
    }

    fn candidates(
        &self,
        capture: &Capture,
        _backend: &dyn SplitBackend,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Candidate>, CoreError> {
        Ok(undirected(capture, Scheme::Positive2, rng))
    }
}
