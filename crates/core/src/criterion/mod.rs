//! Criteria: landscape → candidates.
//!
//! A criterion is one type; here is one that splits the neuron with the most curvature, whatever
//! its sign, along its largest eigenvector:
//!
//! ```
//! use burgeon_core::criterion::{Candidate, Context, Criterion};
//! use burgeon_core::growth::Gain;
//! use burgeon_core::landscape::{Landscape, Needs};
//! use burgeon_core::{CoreError, Scheme, WeightBound};
//!
//! #[derive(Debug)]
//! struct MostCurved;
//!
//! impl Criterion for MostCurved {
//!     fn name(&self) -> &str {
//!         "most-curved"
//!     }
//!
//!     fn needs(&self) -> Needs {
//!         Needs::SPECTRA
//!     }
//!
//!     fn candidates(
//!         &self,
//!         landscape: &dyn Landscape,
//!         _context: &mut Context,
//!     ) -> Result<Vec<Candidate>, CoreError> {
//!         let capture = landscape.capture(self.needs())?;
//!         let mut candidates = Vec::new();
//!         for site in &capture.sites {
//!             for (neuron, spectrum) in site.spectra.iter().flat_map(|s| s.iter()).enumerate() {
//!                 let most = &spectrum.max;
//!                 let copies = Scheme::Positive2.offspring(&most.vector, &most.vector, WeightBound::POSITIVE);
//!                 let candidate = Candidate::split(site, neuron, Scheme::Positive2, copies);
//!                 let gain = Gain::second(-0.5 * most.value);
//!                 candidates.push(candidate.with_gain(gain).with_score(most.value.abs()));
//!             }
//!         }
//!         Ok(candidates)
//!     }
//! }
//! ```

mod dead_start;
mod firefly;
mod gradmax;
mod net2net;
mod random;
mod random_neuron;
mod random_signed;
mod s2d;
mod s3d;
mod singular;
mod tiny;

pub use firefly::{Firefly, Refinement};
pub use gradmax::GradMax;
pub use net2net::Net2Net;
pub use random::RandomSplit;
pub use random_neuron::RandomNeuron;
pub use random_signed::RandomSignedSplit;
pub use s2d::SteepestDescent;
pub use s3d::SignedSteepestDescent;
pub use tiny::Tiny;

pub use crate::candidate::Candidate;
pub use crate::unit_vector::unit_vector;

use std::fmt::Debug;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::capture::Site;
use crate::error::CoreError;
use crate::growth::Gain;
use crate::landscape::{Landscape, Needs};
use crate::scheme::{Scheme, WeightBound};
use crate::spectrum::SiteSpectra;

/// What a criterion is given beside the landscape.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context {
    /// The only source of chance.
    pub rng: ChaCha8Rng,
}

impl Context {
    /// A context whose chance follows from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }
}

/// A rule that proposes growths. Its `Debug` form must tell its parameters: it is part of a run's
/// identity.
pub trait Criterion: Debug + Send + Sync {
    /// The criterion's name.
    fn name(&self) -> &str;

    /// What it asks the landscape for, so that it can be refused before training.
    fn needs(&self) -> Needs;

    /// The candidates, in the order of sites and neurons.
    ///
    /// # Errors
    /// [`CoreError`] where the capture is not finite or a spectrum fails.
    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError>;
}

/// For every neuron the best of `schemes` by gain per added neuron; none for a neuron that
/// all of them leave stable.
///
/// # Errors
/// As [`Landscape::capture`].
pub fn spectral_candidates(
    landscape: &dyn Landscape,
    schemes: &[Scheme],
    bound: WeightBound,
) -> Result<Vec<Candidate>, CoreError> {
    let capture = landscape.capture(Needs::SPECTRA)?;
    let mut candidates = Vec::new();
    for site in &capture.sites {
        for (neuron, spectrum) in site.spectra.iter().flat_map(SiteSpectra::iter).enumerate() {
            let mut best: Option<Candidate> = None;
            for &scheme in schemes {
                let Some((offspring, gain)) = scheme.best_split(spectrum, bound) else {
                    continue;
                };
                let score = gain / (scheme.copies() - 1) as f64;
                if best.as_ref().is_none_or(|best| score > best.score) {
                    let candidate = Candidate::split(site, neuron, scheme, offspring);
                    best = Some(candidate.with_gain(Gain::second(gain)).with_score(score));
                }
            }
            candidates.extend(best);
        }
    }
    Ok(candidates)
}

/// One candidate for every neuron, moved along a direction drawn uniformly from
/// the unit sphere, with a score that is uniform too.
pub fn undirected_candidates(
    sites: &[Site],
    scheme: Scheme,
    rng: &mut ChaCha8Rng,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for site in sites {
        for neuron in 0..site.neurons {
            let direction = unit_vector(site.dim, rng);
            let offspring = scheme.offspring(&direction, &direction, WeightBound::POSITIVE);
            let candidate = Candidate::split(site, neuron, scheme, offspring);
            candidates.push(candidate.with_score(rng.random()));
        }
    }
    candidates
}
