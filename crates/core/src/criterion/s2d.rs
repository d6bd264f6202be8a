//! Splitting steepest descent.

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Criterion};
use crate::backend::SplitBackend;
use crate::capture::Capture;
use crate::eigen::dense_spectra;
use crate::error::CoreError;
use crate::scheme::Scheme;

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
        let mut candidates = Vec::new();
        for site in &capture.sites {
            let Some(curvature) = &site.curvature else {
                return Err(CoreError::EmptyCapture {
                    site: site.name.clone(),
                });
            };
            let spectra = dense_spectra(&site.name, &curvature.dense(backend)?)?;
            for (neuron, spectrum) in spectra.iter().enumerate() {
                let scheme = Scheme::Positive2;
                if let Some((offspring, gain)) = scheme.best_split(spectrum) {
                    candidates.push(Candidate {
                        gain: Some(gain),
                        score: gain,
                        ..Candidate::split(site, neuron, scheme, offspring)
                    });
                }
            }
        }
        Ok(candidates)
    }
}
