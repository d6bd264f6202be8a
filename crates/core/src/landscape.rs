//! What criteria and searches ask of a network.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::backend::SplitBackend;
use crate::capture::{Capture, Site};
use crate::eigen::SpectrumSolver;
use crate::error::CoreError;
use crate::gradient::{GradientRequest, PlanGradient};
use crate::place::Place;
use crate::plan::Plan;

/// What a capture is to find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// The spectra of the splitting matrices.
    pub spectra: bool,
    /// How long the neurons' weights are.
    pub norms: bool,
    /// Places at which the network may become deeper: without one there is nothing to propose.
    pub places: bool,
    /// The second moments of what neurons read and of what is wanted where they are read.
    pub moments: bool,
}

impl Needs {
    /// The sites' shapes alone.
    pub const SHAPES: Self = Self {
        spectra: false,
        norms: false,
        places: false,
        moments: false,
    };

    /// The spectra of the splitting matrices.
    pub const SPECTRA: Self = Self {
        spectra: true,
        ..Self::SHAPES
    };

    /// How long the neurons' weights are.
    pub const NORMS: Self = Self {
        norms: true,
        ..Self::SHAPES
    };

    /// Places at which the network may become deeper.
    pub const PLACES: Self = Self {
        places: true,
        ..Self::SHAPES
    };

    /// Second moments.
    pub const MOMENTS: Self = Self {
        moments: true,
        ..Self::SHAPES
    };

    /// What either asks for.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            spectra: self.spectra || other.spectra,
            norms: self.norms || other.norms,
            moments: self.moments || other.moments,
            places: self.places || other.places,
        }
    }
}

/// A network as growing sees it: its sites, what can be found out about them, and the losses that
/// growths would bring. `burgeon-nn` implements it for models, by replay.
pub trait Landscape {
    /// The sites that may grow, in the order in which the network uses them.
    fn sites(&self) -> &[Site];

    /// The places at which it may become deeper, stack by stack; none for most networks.
    fn places(&self) -> &[Place] {
        &[]
    }

    /// The sites with what `needs` asks for. What was captured before is not captured again.
    ///
    /// # Errors
    /// [`CoreError`] where what is captured is not finite or a spectrum fails.
    fn capture(&self, needs: Needs) -> Result<Arc<Capture>, CoreError>;

    /// The loss as it is and under `plan` with each of `steps`, without any change to the network.
    ///
    /// # Errors
    /// [`CoreError`] where the plan does not fit.
    fn losses(&self, plan: &Plan, steps: &[f64]) -> Result<LineSearch, CoreError>;

    /// The gradient of the loss in the weights of `plan`'s growths, of the network under the plan
    /// with everything in it at once: no change to the network.
    ///
    /// # Errors
    /// [`CoreError`] where the plan does not fit, or the loss there is not finite.
    fn gradient(&self, plan: &Plan, at: &GradientRequest) -> Result<PlanGradient, CoreError>;

    /// `plan` with the running statistics that its new neurons have on the samples, at ε = 0, in
    /// front of batch normalisations; those of a site whose new neurons start at a fan-in of 0
    /// have none.
    ///
    /// # Errors
    /// [`CoreError`] where the plan does not fit.
    fn with_statistics(&self, plan: &Plan) -> Result<Plan, CoreError> {
        Ok(plan.clone())
    }

    /// Minibatches of the samples that gradients can be taken over.
    fn minibatches(&self) -> usize {
        1
    }
}

/// One step tried by a line search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The step.
    pub epsilon: f64,
    /// The loss under it; `None` if it is not finite, or the type of the weights does not
    /// resolve the step.
    pub loss: Option<f64>,
}

/// What a line search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineSearch {
    /// Loss of the network as it is.
    pub baseline: f64,
    /// The steps tried.
    pub trials: Vec<Trial>,
}

impl LineSearch {
    /// The step of least loss, with that loss: finite, but not always below the baseline. The
    /// first of equal ones.
    pub fn best(&self) -> Option<(f64, f64)> {
        let tried = self.trials.iter();
        let losses = tried.filter_map(|trial| Some((trial.epsilon, trial.loss?)));
        losses.reduce(|best, next| if next.1 < best.1 { next } else { best })
    }
}

/// A landscape of what was captured before, without a network behind it: criteria can be asked,
/// losses cannot.
#[derive(Debug)]
pub struct CapturedLandscape<'a> {
    sites: Vec<Site>,
    capture: Mutex<Arc<Capture>>,
    solver: SpectrumSolver,
    backend: &'a dyn SplitBackend,
}

impl<'a> CapturedLandscape<'a> {
    /// Of `capture`, whose spectra are found by the default solver where they are not there yet.
    pub fn new(capture: Capture, backend: &'a dyn SplitBackend) -> Self {
        let sites = capture.sites.iter().map(Site::without_data).collect();
        Self {
            sites,
            capture: Mutex::new(Arc::new(capture)),
            solver: SpectrumSolver::default(),
            backend,
        }
    }

    /// With another solver.
    #[must_use]
    pub fn with_solver(mut self, solver: SpectrumSolver) -> Self {
        self.solver = solver;
        self
    }
}

impl Landscape for CapturedLandscape<'_> {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn capture(&self, needs: Needs) -> Result<Arc<Capture>, CoreError> {
        let mut capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        // Weights cannot be looked at again.
        let lacks = |site: &Site| {
            (needs.norms && site.norms.is_none()) || (needs.moments && site.moments.is_none())
        };
        if capture.sites.iter().any(lacks) {
            return Err(CoreError::NoNetwork);
        }
        if needs.spectra && capture.sites.iter().any(|site| site.spectra.is_none()) {
            let mut solved = Capture::clone(&capture);
            solved.solve(&self.solver, self.backend)?;
            *capture = Arc::new(solved);
        }
        Ok(capture.clone())
    }

    fn losses(&self, _plan: &Plan, _steps: &[f64]) -> Result<LineSearch, CoreError> {
        Err(CoreError::NoNetwork)
    }

    fn gradient(&self, _plan: &Plan, _at: &GradientRequest) -> Result<PlanGradient, CoreError> {
        Err(CoreError::NoNetwork)
    }
}
