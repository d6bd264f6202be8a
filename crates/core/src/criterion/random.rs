//! Random splitting.

use super::{Candidate, Context, Criterion, undirected_candidates};
use crate::error::CoreError;
use crate::landscape::{Landscape, Needs};
use crate::scheme::Scheme;

/// Random splitting, the S2D paper's baseline: random neurons, moved by ±δ along
/// a random direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomSplit;

impl Criterion for RandomSplit {
    fn name(&self) -> &str {
        "random"
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
            Scheme::Positive2,
            &mut context.rng,
        ))
    }
}
