//! Criteria: capture → candidates.

mod net2net;
mod random;
mod random_signed;
mod s2d;
mod s3d;

pub use net2net::Net2Net;
pub use random::RandomSplit;
pub use random_signed::RandomSignedSplit;
pub use s2d::SteepestDescent;
pub use s3d::SignedSteepestDescent;

pub use crate::unit_vector::unit_vector;

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

use crate::backend::SplitBackend;
use crate::capture::{Capture, MAX_ADDED, Site};
use crate::eigen::SpectrumSolver;
use crate::error::CoreError;
use crate::scheme::{Offspring, Scheme, WeightBound};
use crate::spectrum::SiteSpectra;

/// One possible growth.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The site it grows.
    pub site: String,
    /// The channels of the site ([`Site::channels`]): a channel is split at one of its sites.
    pub channels: String,
    /// The neuron that is split.
    pub neuron: usize,
    /// How the copies are placed.
    pub scheme: Scheme,
    /// The copies.
    pub offspring: Vec<Offspring>,
    /// Predicted decrease of the loss per ε², where the criterion predicts one.
    pub gain: Option<f64>,
    /// What selectors rank by, larger first.
    pub score: f64,
    /// What it adds to the cost of the network as it stands: parameters, or what the cost model
    /// counts.
    pub cost: u64,
}

/// A rule that scores possible growths.
pub trait Criterion: Debug + Send + Sync {
    /// The criterion's name.
    fn name(&self) -> &'static str;

    /// Whether [`Capture`] must hold the splitting matrices.
    fn needs_curvature(&self) -> bool;

    /// The candidates in `capture`, in the order of its sites and neurons.
    /// `rng` is the only source of chance.
    ///
    /// # Errors
    /// [`CoreError`] where the capture is not finite or a spectrum fails.
    fn candidates(
        &self,
        capture: &Capture,
        backend: &dyn SplitBackend,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Candidate>, CoreError>;
}

impl Candidate {
    /// The candidate that splits `neuron` of `site` into `offspring`.
    fn split(site: &Site, neuron: usize, scheme: Scheme, offspring: Vec<Offspring>) -> Self {
        Self {
            site: site.name.clone(),
            channels: site.channels.clone(),
            neuron,
            scheme,
            cost: match offspring.len() {
                0 | 1 => 0,
                copies => site.added_costs[(copies - 2).min(MAX_ADDED - 1)],
            },
            offspring,
            gain: None,
            score: 0.0,
        }
    }
}

/// For every neuron the best of `schemes` by gain per added neuron; none for a neuron that
/// all of them leave stable. Where the spectra are not in the capture yet, the default solver
/// finds them.
fn spectral_candidates(
    capture: &Capture,
    backend: &dyn SplitBackend,
    schemes: &[Scheme],
    bound: WeightBound,
) -> Result<Vec<Candidate>, CoreError> {
    if capture.sites.iter().any(|site| site.spectra.is_none()) {
        let mut solved = capture.clone();
        solved.solve(&SpectrumSolver::default(), backend)?;
        return spectral_candidates(&solved, backend, schemes, bound);
    }
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
                    best = Some(Candidate {
                        gain: Some(gain),
                        score,
                        ..Candidate::split(site, neuron, scheme, offspring)
                    });
                }
            }
            candidates.extend(best);
        }
    }
    Ok(candidates)
}

/// One candidate for every neuron, moved along a direction drawn uniformly from
/// the unit sphere, with a score that is uniform too.
fn undirected(capture: &Capture, scheme: Scheme, rng: &mut ChaCha8Rng) -> Vec<Candidate> {
    let mut candidates = Vec::with_capacity(capture.neurons());
    for site in &capture.sites {
        for neuron in 0..site.neurons {
            let direction = unit_vector(site.dim, rng);
            let offspring = scheme.offspring(&direction, &direction, WeightBound::POSITIVE);
            candidates.push(Candidate {
                score: rand::RngExt::random(rng),
                ..Candidate::split(site, neuron, scheme, offspring)
            });
        }
    }
    candidates
}
