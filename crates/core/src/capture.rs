//! What one instrumented pass over data tells of a network's sites.

use crate::backend::SplitBackend;
use crate::curvature::Curvature;
use crate::eigen::{CapturedOperator, SpectrumSolver};
use crate::error::CoreError;
use crate::moments::Moments;
use crate::spectrum::SiteSpectra;

/// Neurons that one split adds at most.
pub const MAX_ADDED: usize = 3;

/// A layer whose neurons may be grown, as it was captured.
#[derive(Debug, Clone)]
pub struct Site {
    /// The layer's name.
    pub name: String,
    /// Number of neurons M.
    pub neurons: usize,
    /// Fan-in dimension d, bias included.
    pub dim: usize,
    /// Numbers of all parameters by which a neuron is read.
    pub fan_out: usize,
    /// Whether a batch normalisation reads its channels before they are activated.
    pub is_normalised: bool,
    /// What one, two and three more neurons add to the cost of the network as it stands, their
    /// consumers' columns included: parameters, or whatever the cost model counts.
    pub added_costs: [u64; MAX_ADDED],
    /// How long its neurons' weights are, where the criterion asked for it.
    pub norms: Option<Norms>,
    /// Its second moments, where the criterion asked for them.
    pub moments: Option<Moments>,
    /// The splitting matrices, where the criterion asked for them and they were kept.
    pub curvature: Option<Curvature>,
    /// The spectra, once they are solved for.
    pub spectra: Option<SiteSpectra>,
}

/// How long the weights of a site's neurons are: root mean squares over its neurons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    /// Of `θ`.
    pub fan_in: f64,
    /// Of all slices by which a neuron is read together.
    pub fan_out: f64,
}

impl Site {
    /// The site without what was captured of it.
    pub fn without_data(&self) -> Self {
        Self {
            name: self.name.clone(),
            norms: None,
            moments: None,
            curvature: None,
            spectra: None,
            ..*self
        }
    }
}

/// One pass over data: the loss and every site.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The sites, in the order in which the model uses them.
    pub sites: Vec<Site>,
    /// Number of samples captured.
    pub samples: usize,
    /// Mean loss over them.
    pub loss: f64,
    /// Bytes of captured inputs and curvature weights that were held at once.
    pub bytes: usize,
}

impl Capture {
    /// Solves for the spectra of all sites and lets their captured data go.
    ///
    /// # Errors
    /// [`CoreError::EmptyCapture`] where the curvature was not captured, else as
    /// [`SpectrumSolver::solve`].
    pub fn solve(
        &mut self,
        solver: &SpectrumSolver,
        backend: &dyn SplitBackend,
    ) -> Result<(), CoreError> {
        // One site after the other: the memory of one basis is enough.
        for site in &mut self.sites {
            let curvature = site
                .curvature
                .as_ref()
                .ok_or_else(|| CoreError::EmptyCapture {
                    site: site.name.clone(),
                })?;
            let operator = CapturedOperator::new(vec![curvature], backend);
            let exact = backend.accumulation_dtype();
            site.spectra = solver.solve(&operator, curvature.rows(), exact)?.pop();
            site.curvature = None;
        }
        Ok(())
    }

    /// Neurons of all sites together.
    pub fn neurons(&self) -> usize {
        self.sites.iter().map(|site| site.neurons).sum()
    }
}
