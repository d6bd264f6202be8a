//! Random new neurons.

use rand::RngExt;

use super::dead_start::dead_starts;
use super::{Candidate, Context, Criterion, unit_vector};
use crate::error::CoreError;
use crate::growth::Side;
use crate::landscape::{Landscape, Needs};

/// New neurons in random directions, one side of which is zero, so that the network is unchanged:
/// the baseline of every directed way of adding neurons, and by itself a strong one.
///
/// For each site as many candidates as it has neurons. The side that is not zero is as long as
/// that of the site's neurons is on average.
#[derive(Debug, Clone, Copy)]
pub struct RandomNeuron {
    zero: Side,
}

impl RandomNeuron {
    /// Nothing reads the new neurons yet; what they compute is random.
    pub const fn zero_fan_out() -> Self {
        Self { zero: Side::FanOut }
    }

    /// The new neurons compute nothing yet; they are read by random weights. Refused where the
    /// gradient of such a neuron is 0, as behind a ReLU: it would never learn.
    pub const fn zero_fan_in() -> Self {
        Self { zero: Side::FanIn }
    }
}

impl Criterion for RandomNeuron {
    fn name(&self) -> &str {
        match self.zero {
            Side::FanOut => "random-neuron",
            Side::FanIn => "random-neuron-zero-fan-in",
        }
    }

    fn needs(&self) -> Needs {
        Needs::NORMS
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let capture = landscape.capture(Needs::NORMS)?;
        let rng = &mut context.rng;
        let mut candidates = Vec::new();
        for site in &capture.sites {
            let Some(norms) = site.norms else { continue };
            for _ in 0..site.neurons {
                let mut drawn = |dim: usize, norm: f64| -> Vec<f64> {
                    let direction = unit_vector(dim, rng);
                    direction.into_iter().map(|value| norm * value).collect()
                };
                let candidate = match self.zero {
                    Side::FanOut => {
                        let fan_in = drawn(site.dim, norms.fan_in);
                        Candidate::new_neuron(site, fan_in, Vec::new(), Side::FanOut)
                    }
                    Side::FanIn => {
                        let fan_out = drawn(site.fan_out, norms.fan_out);
                        Candidate::new_neuron(site, Vec::new(), fan_out, Side::FanIn)
                    }
                };
                candidates.push(candidate.with_score(rng.random()));
            }
        }
        if self.zero == Side::FanIn {
            let dead = dead_starts(landscape, &candidates)?;
            if let Some(site) = dead.into_iter().next() {
                return Err(CoreError::DeadStart { site });
            }
        }
        Ok(candidates)
    }
}
