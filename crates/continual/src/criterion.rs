//! What a task's column may grow by.

use burgeon_core::criterion::{Candidate, Context, Criterion, Firefly};
use burgeon_core::growth::{Gain, Side};
use burgeon_core::{CoreError, GradientRequest, Landscape, Needs, Plan};

/// An old neuron that a column may have a copy of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OldNeuron {
    /// The hidden layer.
    pub layer: usize,
    /// Its weights as the column's neurons read, bias last.
    pub fan_in: Vec<f64>,
}

/// Firefly's splits and new neurons, and copies of old neurons that are trained from then on
/// (arXiv 2102.08574 on continual learning), in one list. A copy starts with the old fan-in, and is
/// read along the direction in which the loss falls fastest; like all others it is ranked by what
/// the loss loses while its step goes from 0 to 1.
#[derive(Debug, Clone)]
pub(crate) struct TaskGrowth {
    firefly: Firefly,
    old: Vec<OldNeuron>,
}

/// How long the fan-out of a copy is, in average lengths of those of the site: as firefly's start.
const LENGTH: f64 = 0.1;

/// Points of the integral by which copies are ranked, as firefly's.
const POINTS: usize = 3;

impl TaskGrowth {
    pub fn new(firefly: Firefly, old: Vec<OldNeuron>) -> Self {
        Self { firefly, old }
    }

    fn copies(&self, landscape: &dyn Landscape) -> Result<Vec<Candidate>, CoreError> {
        let capture = landscape.capture(Needs::NORMS)?;
        let mut drawn = Vec::new();
        for neuron in &self.old {
            // Sites are hidden layers, in their order.
            let Some(site) = capture.sites.get(neuron.layer) else {
                continue;
            };
            let Some(norms) = site.norms.filter(|_| site.dim == neuron.fan_in.len()) else {
                continue;
            };
            let fan_out = vec![0.0; site.fan_out];
            let copy = Candidate::new_neuron(site, neuron.fan_in.clone(), fan_out, Side::FanOut);
            drawn.push((copy, LENGTH * norms.fan_out));
        }
        if drawn.is_empty() {
            return Ok(Vec::new());
        }
        let plan = |drawn: &[(Candidate, f64)]| {
            Plan::new(
                "copies",
                drawn.iter().map(|(copy, _)| copy.clone()).collect(),
            )
        };
        let gradient = landscape.gradient(&plan(&drawn), &GradientRequest::at(1.0))?;
        let mut moved = Vec::with_capacity(drawn.len());
        for ((mut copy, length), own) in drawn.into_iter().zip(gradient.growths) {
            let steepest = own
                .fan_out
                .iter()
                .map(|slope| slope * slope)
                .sum::<f64>()
                .sqrt();
            if let burgeon_core::Growth::NewNeuron(new) = &mut copy.growth
                && steepest > 0.0
            {
                new.fan_out = own
                    .fan_out
                    .iter()
                    .map(|slope| -length * slope / steepest)
                    .collect();
                moved.push((copy, length));
            }
        }
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let plan = plan(&moved);
        let mut decreases = vec![0.0; moved.len()];
        for point in 0..POINTS {
            let epsilon = (point as f64 + 0.5) / POINTS as f64;
            let gradient = landscape.gradient(&plan, &GradientRequest::at(epsilon))?;
            let slopes = plan.growths().zip(&gradient.growths);
            for (sum, (growth, own)) in decreases.iter_mut().zip(slopes) {
                *sum -= own.along(growth) / POINTS as f64;
            }
        }
        let ranked = moved
            .into_iter()
            .zip(decreases)
            .filter(|(_, decrease)| *decrease > 0.0);
        let candidates = ranked.map(|((copy, _), decrease)| {
            copy.with_gain(Gain::first(decrease)).with_score(decrease)
        });
        Ok(candidates.collect())
    }
}

impl Criterion for TaskGrowth {
    fn name(&self) -> &str {
        "firefly-continual"
    }

    fn needs(&self) -> Needs {
        Needs::NORMS
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let mut candidates = self.firefly.candidates(landscape, context)?;
        candidates.extend(self.copies(landscape)?);
        Ok(candidates)
    }
}
