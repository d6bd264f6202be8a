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
/// For each site as many candidates as it has neurons. A side that is not zero is as long as
/// that of the site's neurons is on average.
#[derive(Debug, Clone, Copy)]
pub struct RandomNeuron {
    zero: Zero,
}

/// Which side is zero.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Zero {
    FanIn,
    FanOut,
    Neither,
}

impl RandomNeuron {
    /// Nothing reads the new neurons yet; what they compute is random.
    pub const fn zero_fan_out() -> Self {
        Self { zero: Zero::FanOut }
    }

    /// The new neurons compute nothing yet; they are read by random weights. Refused where the
    /// gradient of such a neuron is 0, as behind a ReLU: it would never learn; and in front of a
    /// batch normalisation, which divides by the neuron's spread.
    pub const fn zero_fan_in() -> Self {
        Self { zero: Zero::FanIn }
    }

    /// Random on both sides; ε multiplies the fan-out. At a step of 1 they are read as neurons of
    /// before are: where fan-ins are rescaled as well, this is variance transfer (Yuan et al. 2023,
    /// arXiv 2306.12700).
    pub const fn on_both_sides() -> Self {
        Self {
            zero: Zero::Neither,
        }
    }
}

impl Criterion for RandomNeuron {
    fn name(&self) -> &str {
        match self.zero {
            Zero::FanOut => "random-neuron",
            Zero::FanIn => "random-neuron-zero-fan-in",
            Zero::Neither => "random-neuron-on-both-sides",
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
        let normalised = capture.sites.iter().find(|site| site.is_normalised);
        if let (Zero::FanIn, Some(site)) = (self.zero, normalised) {
            let site = site.name.clone();
            return Err(CoreError::NormalisedStart { site });
        }
        let rng = &mut context.rng;
        let mut candidates = Vec::new();
        for site in &capture.sites {
            let Some(norms) = site.norms else { continue };
            for _ in 0..site.neurons {
                let mut drawn = |dim: usize, norm: f64| -> Vec<f64> {
                    let direction = unit_vector(dim, rng);
                    direction.into_iter().map(|value| norm * value).collect()
                };
                let fan_in = match self.zero {
                    Zero::FanIn => Vec::new(),
                    Zero::FanOut | Zero::Neither => drawn(site.dim, norms.fan_in),
                };
                let fan_out = match self.zero {
                    Zero::FanOut => Vec::new(),
                    Zero::FanIn | Zero::Neither => drawn(site.fan_out, norms.fan_out),
                };
                let scaled = match self.zero {
                    Zero::FanIn => Side::FanIn,
                    Zero::FanOut | Zero::Neither => Side::FanOut,
                };
                let candidate = Candidate::new_neuron(site, fan_in, fan_out, scaled);
                candidates.push(candidate.with_score(rng.random()));
            }
        }
        if self.zero == Zero::FanIn {
            let dead = dead_starts(landscape, &candidates)?;
            if let Some(site) = dead.into_iter().next() {
                return Err(CoreError::DeadStart { site });
            }
        }
        Ok(candidates)
    }
}
