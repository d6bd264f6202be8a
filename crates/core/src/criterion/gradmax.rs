//! GradMax (Evci et al., 2022, arXiv 2201.05125).

use nalgebra::DMatrix;

use super::dead_start::dead_starts;
use super::singular::SingularValues;
use super::{Candidate, Context, Criterion};
use crate::capture::Site;
use crate::error::CoreError;
use crate::gradient::{GradientRequest, PlanGradient, SlopeAtZero};
use crate::growth::{Gain, Side};
use crate::landscape::{Landscape, Needs};
use crate::plan::Plan;

/// New neurons whose gradient is as large as it can be: the fan-in is zero, the fan-outs are the
/// top left singular vectors of `E[g xᵀ]`, where `x` is what the neuron would read and `g` the
/// gradient of the loss where it would be read. So the network is unchanged, and the first step of
/// training moves the new neurons most.
///
/// A neuron whose fan-in is zero has a gradient only if its activation has a slope at 0. Where
/// that is a ReLU, which has none, a plain start at zero would be dead: there `E[g xᵀ]` is found
/// with a slope of 1, as the paper assumes, and the fan-in takes ε times the direction of steepest
/// descent, so that the step is searched for.
///
/// In front of a batch normalisation a fan-in of 0 is no small change, since it divides by the
/// neuron's spread: such sites get no neurons.
///
/// Each site has at most as many candidates as it has neurons, as `E[g xᵀ]` has singular values
/// above the threshold. The fan-outs are as long as the site's are on average, times a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradMax {
    scale: f64,
    threshold: f64,
}

impl GradMax {
    /// Fan-outs as long as those of the site's neurons; singular values down to 1e-6 of the
    /// largest.
    pub const fn new() -> Self {
        Self {
            scale: 1.0,
            threshold: 1e-6,
        }
    }

    /// With fan-outs so many times as long.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if `scale` is not above 0.
    pub fn with_scale(mut self, scale: f64) -> Result<Self, CoreError> {
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(CoreError::Parameter {
                name: "the scale of GradMax's fan-outs",
                value: scale.to_string(),
                expected: "above 0",
            });
        }
        self.scale = scale;
        Ok(self)
    }

    /// Leaves out singular values below `threshold` times the largest.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if `threshold` is not in `[0, 1)`.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, CoreError> {
        if !(0.0..1.0).contains(&threshold) {
            return Err(CoreError::Parameter {
                name: "GradMax's threshold",
                value: threshold.to_string(),
                expected: "0 or more and below 1",
            });
        }
        self.threshold = threshold;
        Ok(self)
    }
}

impl Default for GradMax {
    fn default() -> Self {
        Self::new()
    }
}

impl Criterion for GradMax {
    fn name(&self) -> &str {
        "gradmax"
    }

    fn needs(&self) -> Needs {
        Needs::NORMS
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        _context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let capture = landscape.capture(Needs::NORMS)?;
        if let (true, Some(site)) = (
            capture.sites.iter().all(|site| site.is_normalised),
            capture.sites.first(),
        ) {
            let site = site.name.clone();
            return Err(CoreError::NormalisedStart { site });
        }
        let mut found = Vec::new();
        for (site, gradients) in capture
            .sites
            .iter()
            .zip(gradients(landscape, &capture.sites)?)
        {
            let Some(norms) = site.norms.filter(|_| !site.is_normalised) else {
                continue;
            };
            found.push((
                site,
                self.of_site(site, gradients, self.scale * norms.fan_out)?,
            ));
        }
        let first = found.iter().filter_map(|(_, tops)| tops.first());
        let first: Vec<Candidate> = first.map(|top| top.still.clone()).collect();
        let dead = dead_starts(landscape, &first)?;
        let candidates = found.into_iter().flat_map(|(site, tops)| {
            let is_dead = dead.contains(&site.name);
            tops.into_iter()
                .map(move |top| if is_dead { top.moving } else { top.still })
        });
        Ok(candidates.collect())
    }
}

/// A singular vector of a site as a new neuron.
struct Top {
    /// Its fan-in is zero.
    still: Candidate,
    /// Its fan-in is ε times the direction of steepest descent.
    moving: Candidate,
}

impl GradMax {
    /// The singular vectors of a site whose `E[g xᵀ]`, `[k, d]`, is `gradients`.
    fn of_site(
        &self,
        site: &Site,
        gradients: DMatrix<f64>,
        length: f64,
    ) -> Result<Vec<Top>, CoreError> {
        if gradients.iter().any(|value| !value.is_finite()) {
            return Err(CoreError::NonFinite {
                site: site.name.clone(),
                quantity: "the gradients of new neurons",
            });
        }
        let singular = SingularValues::of(site, gradients, self.threshold)?;
        let top = |&index: &usize| {
            let slope = length * singular.values[index];
            let left = singular.left.column(index);
            let fan_out: Vec<f64> = left.iter().map(|v| length * v).collect();
            let fan_in = singular.right.row(index).iter().map(|v| -v).collect();
            let still = Candidate::new_neuron(site, Vec::new(), fan_out.clone(), Side::FanIn);
            let moving = Candidate::new_neuron(site, fan_in, fan_out, Side::FanIn);
            Top {
                // Its gain is that of training.
                still: still.with_score(slope),
                // A rectified linear neuron answers to half of what a linear one does.
                moving: moving.with_score(slope).with_gain(Gain::first(0.5 * slope)),
            }
        };
        Ok(singular.order.iter().map(top).collect())
    }
}

/// Neurons that are probed at once at each site.
const PROBED: usize = 64;

/// `E[g xᵀ]`, `[k, d]`, of each site. A neuron of fan-in 0 that is read by one number alone has
/// one row of it as its gradient, whatever lies between, and neurons whose fan-in is 0 do not
/// disturb each other: all sites and many rows are found in one pass.
fn gradients(landscape: &dyn Landscape, sites: &[Site]) -> Result<Vec<DMatrix<f64>>, CoreError> {
    let zeros = |site: &Site| DMatrix::zeros(site.fan_out, site.dim);
    let mut found: Vec<DMatrix<f64>> = sites.iter().map(zeros).collect();
    let most = sites.iter().map(|site| site.fan_out).max().unwrap_or(0);
    for first in (0..most).step_by(PROBED) {
        let mut probes = Vec::new();
        let mut rows = Vec::new();
        for (number, site) in sites.iter().enumerate() {
            for row in first..site.fan_out.min(first + PROBED) {
                let mut fan_out = vec![0.0; site.fan_out];
                fan_out[row] = 1.0;
                probes.push(Candidate::new_neuron(
                    site,
                    Vec::new(),
                    fan_out,
                    Side::FanIn,
                ));
                rows.push((number, row));
            }
        }
        let plan = Plan::new("gradmax", probes);
        let at = GradientRequest::default().with_slope_at_zero(SlopeAtZero::One);
        let PlanGradient { growths, .. } = landscape.gradient(&plan, &at)?;
        for ((number, row), gradient) in rows.into_iter().zip(growths) {
            for (place, value) in gradient.fan_in.iter().flatten().enumerate() {
                if place < sites[number].dim {
                    found[number][(row, place)] = *value;
                }
            }
        }
    }
    Ok(found)
}
