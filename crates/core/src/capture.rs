//! What one instrumented pass over data tells of a network's sites.

use crate::curvature::Curvature;

/// A layer whose neurons may be grown, as it was captured.
#[derive(Debug, Clone)]
pub struct Site {
    /// The layer's name.
    pub name: String,
    /// Number of neurons M.
    pub neurons: usize,
    /// Fan-in dimension d, bias included.
    pub dim: usize,
    /// Parameters that one more neuron adds, its consumers' columns included.
    pub cost_per_neuron: u64,
    /// The splitting matrices, where the criterion asked for them.
    pub curvature: Option<Curvature>,
}

/// One pass over data: the loss and every site.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The sites, in the order of the topology.
    pub sites: Vec<Site>,
    /// Number of samples captured.
    pub samples: usize,
    /// Mean loss over them.
    pub loss: f64,
}

impl Capture {
    /// Neurons of all sites together.
    pub fn neurons(&self) -> usize {
        self.sites.iter().map(|site| site.neurons).sum()
    }
}
