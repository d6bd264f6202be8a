//! Widening by copies.

use super::{Candidate, Context, Criterion, undirected_candidates};
use crate::error::CoreError;
use crate::landscape::{Landscape, Needs};
use crate::scheme::Scheme;

/// Net2Wider (arXiv 1511.05641): random neurons are copied, and noise on one copy
/// tells the two apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Net2Net;

impl Criterion for Net2Net {
    fn name(&self) -> &str {
        "net2net"
    }

    fn needs(&self) -> Needs {
        Needs::SHAPES
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let sites = landscape.sites();
        Ok(undirected_candidates(
            sites,
            Scheme::Net2Wider,
            &mut context.rng,
        ))
    }
}
