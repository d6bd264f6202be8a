//! Candidates without a network behind them.

use burgeon_core::growth::{Growth, Removal};
use burgeon_core::{Candidate, MAX_ADDED, Scheme, Site, WeightBound};

/// A site of which nothing was captured; its neurons have one number each and are free.
pub fn site(name: &str, neurons: usize) -> Site {
    Site {
        name: name.into(),
        neurons,
        dim: 1,
        fan_out: 1,
        is_normalised: false,
        added_costs: [0; MAX_ADDED],
        norms: None,
        moments: None,
        curvature: None,
        spectra: None,
    }
}

/// A split of `neuron` of site `name`.
pub fn split(name: &str, neuron: usize, scheme: Scheme) -> Candidate {
    let copies = scheme.offspring(&[1.0], &[1.0], WeightBound::POSITIVE);
    Candidate::split(&site(name, neuron + 1), neuron, scheme, copies)
}

/// The site and the neuron that a candidate changes; `None` for a new neuron.
pub fn channel(candidate: &Candidate) -> Option<(&str, usize)> {
    match &candidate.growth {
        Growth::Split(split) => Some((&split.site, split.neuron)),
        Growth::Removal(Removal { site, neuron }) => Some((site, *neuron)),
        _ => None,
    }
}
