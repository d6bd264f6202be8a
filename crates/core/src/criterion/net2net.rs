//! Widening by copies.

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Criterion, undirected};
use crate::backend::SplitBackend;
use crate::capture::Capture;
use crate::error::CoreError;
use crate::scheme::Scheme;

/// Net2Wider (arXiv 1511.05641): random neurons are copied, and noise on one copy
/// tells the two apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Net2Net;

impl Criterion for Net2Net {
    fn name(&self) -> &'static str {
        "net2net"
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
        Ok(undirected(capture, Scheme::Net2Wider, rng))
    }
}
