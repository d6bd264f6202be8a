//! TINY (Verbockhaven, Rudkiewicz, Chevallier and Charpiat, TMLR 2024, arXiv 2405.19816).

use nalgebra::DMatrix;

use super::singular::SingularValues;
use super::{Candidate, Context, Criterion};
use crate::capture::Site;
use crate::error::CoreError;
use crate::gradient::GradientRequest;
use crate::growth::{Gain, Side};
use crate::landscape::{Landscape, Needs};
use crate::moments::{Moments, SiteMoments, Whitening};
use crate::plan::Plan;

/// New neurons that follow the functional gradient where the weights there are cannot: of all
/// `α` `[d, m]`, `ω` `[m, k]` those of least `E‖V_proj − b α ω‖²` ([`SiteMoments`]). With the
/// singular values and vectors of `S^(−1/2) N = Σ λ u vᵀ`, fan-in and fan-out are
///
/// ```text
/// α = √λ S^(−1/2) u ,     ω = √λ v       (each lowers the residual by λ²)
/// ```
///
/// This takes the activation as linear about 0. Where a channel is read at several places at once
/// (by a kernel of `K` taps, or flattened from `K` positions) `E‖b α ω‖²` is replaced by what
/// bounds it, a multiple of `αᵀSα ‖ω‖²`, as the published method does; behind max pooling a
/// neuron counts by the mean of each window. Sites whose moments are not defined
/// ([`Moments::Undefined`] says why) get no neurons.
///
/// ε multiplies the fan-out, so that the network is unchanged at ε = 0 whatever the activation.
/// `(α, ω)` and `(−α, −ω)` are one neuron to the linear problem and two to a ReLU: the one is
/// taken that lowers the loss more, which a pass of the over-grown network tells, and neither
/// where none does. Scores are λ², gains are of the loss itself.
///
/// Each site has at most as many candidates as it has neurons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiny {
    input_threshold: f64,
    threshold: f64,
}

impl Tiny {
    /// Eigenvalues of `S` down to 1e-6 of the largest, singular values down to 1e-3.
    pub const fn new() -> Self {
        Self {
            input_threshold: 1e-6,
            threshold: 1e-3,
        }
    }

    /// Leaves out singular values below `threshold` times the largest of the site.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if `threshold` is not in `[0, 1)`.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, CoreError> {
        self.threshold = share("TINY's threshold", threshold)?;
        Ok(self)
    }

    /// Takes eigenvalues of `S` below `threshold` times the largest for 0: directions in which the
    /// inputs hardly differ.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] if `threshold` is not in `[0, 1)`.
    pub fn with_input_threshold(mut self, threshold: f64) -> Result<Self, CoreError> {
        self.input_threshold = share("TINY's threshold for inputs", threshold)?;
        Ok(self)
    }
}

fn share(name: &'static str, value: f64) -> Result<f64, CoreError> {
    match (0.0..1.0).contains(&value) {
        true => Ok(value),
        false => Err(CoreError::Parameter {
            name,
            value: value.to_string(),
            expected: "0 or more and below 1",
        }),
    }
}

impl Default for Tiny {
    fn default() -> Self {
        Self::new()
    }
}

impl Criterion for Tiny {
    fn name(&self) -> &str {
        "tiny"
    }

    fn needs(&self) -> Needs {
        Needs::MOMENTS
    }

    fn candidates(
        &self,
        landscape: &dyn Landscape,
        _context: &mut Context,
    ) -> Result<Vec<Candidate>, CoreError> {
        let capture = landscape.capture(Needs::MOMENTS)?;
        let mut pairs = Vec::new();
        let mut undefined = Vec::new();
        for site in &capture.sites {
            match &site.moments {
                Some(Moments::Known(moments)) => pairs.extend(self.of_site(site, moments)?),
                Some(Moments::Undefined(reason)) => {
                    undefined.push(format!("`{}`: {reason}", site.name));
                }
                None => {}
            }
        }
        if !undefined.is_empty() && undefined.len() == capture.sites.len() {
            return Err(CoreError::NoMoments {
                reasons: undefined.join("; "),
            });
        }
        better_signs(landscape, pairs)
    }
}

impl Tiny {
    /// The neurons of a site, best first, each with either sign.
    fn of_site(
        &self,
        site: &Site,
        moments: &SiteMoments,
    ) -> Result<Vec<[Candidate; 2]>, CoreError> {
        let whitening = Whitening::of(&site.name, &moments.inputs, self.input_threshold)?;
        let whitened = whitening.apply(&site.name, &moments.cross)?;
        if whitened.is_empty() {
            return Ok(Vec::new());
        }
        let singular = SingularValues::of(site, whitened, self.threshold)?;
        let fan_ins: DMatrix<f64> = &whitening.root * &singular.left;
        let pair = |&index: &usize| {
            let value = singular.values[index];
            let signed = |sign: f64| {
                let by = sign * value.sqrt();
                let fan_in = fan_ins.column(index).iter().map(|v| by * v).collect();
                let fan_out = singular.right.row(index).iter().map(|v| by * v).collect();
                Candidate::new_neuron(site, fan_in, fan_out, Side::FanOut).with_score(value * value)
            };
            [signed(1.0), signed(-1.0)]
        };
        Ok(singular.order.iter().map(pair).collect())
    }
}

/// Of each pair the neuron that lowers the loss more, if one does, with its gain.
fn better_signs(
    landscape: &dyn Landscape,
    pairs: Vec<[Candidate; 2]>,
) -> Result<Vec<Candidate>, CoreError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    // At ε = 0 nothing reads them, so that they do not disturb each other.
    let plan = Plan::new("tiny", pairs.iter().flatten().cloned().collect());
    let plan = landscape.with_statistics(&plan)?;
    let found = landscape.gradient(&plan, &GradientRequest::default())?;
    let growths = plan.growths.into_iter().map(|planned| planned.growth);
    let mut settled = growths.zip(&found.growths);
    let mut better = Vec::with_capacity(pairs.len());
    for neuron in pairs.into_iter().map(|[neuron, _]| neuron) {
        let both = settled.by_ref().take(2).map(|(growth, gradient)| {
            let gain = -gradient.along(&growth);
            (gain, growth)
        });
        let best = both.reduce(|best, next| if next.0 > best.0 { next } else { best });
        if let Some((gain, growth)) = best.filter(|(gain, _)| *gain > 0.0) {
            let gain = Some(Gain::first(gain));
            better.push(Candidate {
                growth,
                gain,
                ..neuron
            });
        }
    }
    Ok(better)
}
