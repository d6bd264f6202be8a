//! Firefly descent (arXiv 2102.08574).

mod layers;
mod moving;
mod refine;

use moving::Moving;
pub use refine::Refinement;

use rand_chacha::ChaCha8Rng;

use super::{Candidate, Context, Criterion, unit_vector};
use crate::capture::{Norms, Site};
use crate::error::CoreError;
use crate::gradient::GradientRequest;
use crate::growth::{Gain, Growth, Side};
use crate::landscape::{Landscape, Needs};
use crate::scheme::{Offspring, Scheme};

/// The steepest descent over networks near the one there is: every neuron split in two, new neurons
/// and new layers (where the model has stacks of blocks) are put into an over-grown network; a few
/// bounded gradient steps move them, the network itself being held; each is ranked by the decrease
/// of the loss that its own step brings from 0 to 1, `−∫ ∂L/∂ε`, and a selector keeps the best. The
/// over-grown network is replayed, never made.
///
/// A split starts as `½ σ(θ + δ) + ½ σ(θ − δ)` with a random `δ`, a new neuron as a random one that
/// is read by small random weights. Lengths are those of the site's neurons on average: a new
/// fan-in is as long, `δ` and a new fan-out are a tenth as long, and become at most as long as the
/// bound says. A new layer `x + ε h(x)` stands at each place of each stack: its opening weights are
/// drawn as usual, its closing ones, as long as a tenth of usual, go down the gradient of the loss.
/// Candidates without a predicted decrease are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firefly {
    splits: bool,
    new_neurons: usize,
    new_layers: bool,
    bound: f64,
    refinement: Refinement,
    points: usize,
}

/// New neurons that are tried at each site (the paper's code).
const NEW_NEURONS: usize = 70;

/// How long offsets and fan-outs start, in average lengths.
const START: f64 = 0.1;

impl Firefly {
    /// Splits of all neurons, 70 new neurons a site, and a new layer at each place of a stack.
    pub const fn new() -> Self {
        Self {
            splits: true,
            new_neurons: NEW_NEURONS,
            new_layers: true,
            bound: 1.0,
            refinement: Refinement::PAPER,
            points: 3,
        }
    }

    /// Splits alone.
    pub const fn splits() -> Self {
        Self {
            new_neurons: 0,
            new_layers: false,
            ..Self::new()
        }
    }

    /// New neurons alone, 70 a site.
    pub const fn new_neurons() -> Self {
        Self {
            splits: false,
            new_layers: false,
            ..Self::new()
        }
    }

    /// New layers alone: the network becomes deeper, not wider.
    pub const fn new_layers() -> Self {
        Self {
            splits: false,
            new_neurons: 0,
            ..Self::new()
        }
    }

    /// With or without new layers.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if that leaves no candidate.
    pub fn with_new_layers(mut self, new_layers: bool) -> Result<Self, CoreError> {
        self.new_layers = new_layers;
        self.checked()
    }

    /// With so many new neurons at each site.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if that leaves no candidate.
    pub fn with_new_neurons(mut self, count: usize) -> Result<Self, CoreError> {
        self.new_neurons = count;
        self.checked()
    }

    fn checked(self) -> Result<Self, CoreError> {
        if self.new_neurons == 0 && !self.splits && !self.new_layers {
            return Err(CoreError::Parameter {
                name: "the number of new neurons",
                value: "0".into(),
                expected: "at least 1 where there are neither splits nor new layers",
            });
        }
        Ok(self)
    }

    /// With offsets and fan-outs of at most so many average lengths.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if `bound` is not above 0.
    pub fn with_bound(mut self, bound: f64) -> Result<Self, CoreError> {
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(CoreError::Parameter {
                name: "the bound of candidates",
                value: bound.to_string(),
                expected: "above 0",
            });
        }
        self.bound = bound;
        Ok(self)
    }

    /// Optimised otherwise.
    #[must_use]
    pub fn with_refinement(mut self, refinement: Refinement) -> Self {
        self.refinement = refinement;
        self
    }

    /// Ranked by the gradient at so many points between 0 and 1 (the middles of equal parts).
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if there is none.
    pub fn with_points(mut self, points: usize) -> Result<Self, CoreError> {
        if points == 0 {
            return Err(CoreError::Parameter {
                name: "the number of integration points",
                value: points.to_string(),
                expected: "at least 1",
            });
        }
        self.points = points;
        Ok(self)
    }

    /// The candidates as they are drawn.
    fn drawn(&self, site: &Site, norms: Norms, rng: &mut ChaCha8Rng) -> Vec<Moving> {
        let mut direction = |dim: usize, length: f64| -> Vec<f64> {
            let unit = unit_vector(dim, rng);
            unit.into_iter().map(|value| length * value).collect()
        };
        let mut drawn = Vec::new();
        for neuron in 0..if self.splits { site.neurons } else { 0 } {
            let offset = direction(site.dim, START.min(self.bound) * norms.fan_in);
            drawn.push(Moving {
                candidate: split(site, neuron, &offset),
                longest: self.bound * norms.fan_in,
            });
        }
        for number in 0..self.new_neurons {
            let fan_in = direction(site.dim, norms.fan_in);
            let fan_out = direction(site.fan_out, START.min(self.bound) * norms.fan_out);
            let candidate = Candidate::new_neuron(site, fan_in, fan_out, Side::FanOut);
            drawn.push(Moving {
                // Or it would be made with other scales than it was tried with.
                candidate: candidate.like(number % site.neurons.max(1)),
                longest: self.bound * norms.fan_out,
            });
        }
        drawn
    }

    /// What the loss loses while each candidate's step goes from 0 to 1, all going together.
    fn decreases(
        &self,
        landscape: &dyn Landscape,
        candidates: &[Moving],
    ) -> Result<Vec<f64>, CoreError> {
        let plan = Moving::plan(candidates);
        let mut sums = vec![0.0; candidates.len()];
        for point in 0..self.points {
            let epsilon = (point as f64 + 0.5) / self.points as f64;
            let gradient = landscape.gradient(&plan, &GradientRequest::at(epsilon))?;
            let slopes = plan.growths().zip(&gradient.growths);
            for (sum, (growth, own)) in sums.iter_mut().zip(slopes) {
                *sum -= own.along(growth) / self.points as f64;
            }
        }
        Ok(sums)
    }
}

impl Default for Firefly {
    fn default() -> Self {
        Self::new()
    }
}

impl Criterion for Firefly {
    fn name(&self) -> &str {
        match (self.splits, self.new_neurons) {
            (true, 0) => "firefly-splits",
            (true, _) => "firefly",
            (false, 0) => "firefly-new-layers",
            (false, _) => "firefly-new-neurons",
        }
    }

    fn needs(&self) -> Needs {
        match self.splits || self.new_neurons > 0 {
            true => Needs::NORMS,
            false => Needs::PLACES,
        }
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let mut moving = Vec::new();
        let needs = self.needs();
        if needs.places && landscape.places().is_empty() {
            return Err(CoreError::NoStack);
        }
        if needs.norms {
            let capture = landscape.capture(Needs::NORMS)?;
            for site in &capture.sites {
                if let Some(norms) = site.norms {
                    moving.extend(self.drawn(site, norms, &mut context.rng));
                }
            }
        }
        if self.new_layers {
            let places = landscape.places();
            moving.extend(layers::drawn(places, START, self.bound, &mut context.rng));
        }
        if moving.is_empty() {
            return Ok(Vec::new());
        }
        layers::descend(landscape, &mut moving)?;
        self.refinement.apply(landscape, &mut moving)?;
        let decreases = self.decreases(landscape, &moving)?;
        let candidates = moving.into_iter().zip(decreases);
        let ranked = candidates.filter(|(_, decrease)| *decrease > 0.0);
        Ok(ranked
            .map(|(Moving { candidate, .. }, decrease)| {
                let gain = match candidate.growth {
                    Growth::Split(_) => Gain::second(decrease),
                    _ => Gain::first(decrease),
                };
                candidate.with_gain(gain).with_score(decrease)
            })
            .collect())
    }
}

fn split(site: &Site, neuron: usize, offset: &[f64]) -> Candidate {
    let copy = |sign: f64| Offspring {
        weight: 0.5,
        offset: offset.iter().map(|value| sign * value).collect(),
    };
    Candidate::split(site, neuron, Scheme::Positive2, vec![copy(1.0), copy(-1.0)])
}
