//! Neurons that are not `σ(θᵀx)`.

use std::fmt;

use nalgebra::DMatrix;

use super::operator::{Directions, SiteShape, SplittingOperator};
use crate::error::CoreError;

/// Splitting matrices of any smooth neurons `σ(θ, x)`, a gated unit for example, by central
/// differences of first-order gradients:
///
/// `S v = d/dt ∇_θ E[g·σ(θ + t v, x)] ≈ [∇(θ + hv) − ∇(θ − hv)] / 2h`,
///
/// the gradient `g` at the neurons' output held as it is at θ. The error is `O(h²)` from the
/// neuron's fourth derivative and `ε/h` from rounding, ε that of the gradients.
pub struct GeneralNeurons<F> {
    shape: SiteShape,
    parameters: DMatrix<f64>,
    gradient: F,
    step: f64,
}

impl<F> GeneralNeurons<F>
where
    F: Fn(&DMatrix<f64>) -> Result<DMatrix<f64>, CoreError>,
{
    /// Neurons with `parameters` `[d, M]`, a column for each. `gradient` maps parameters to
    /// `∇_θ E[g·σ(θ, x)]` of each neuron, `[d, M]`, with g frozen; `rounding` is the relative
    /// rounding of its values (`f64::EPSILON` or `f32::EPSILON`).
    ///
    /// # Errors
    /// [`CoreError::NonFinite`] for NaN or an infinity in the parameters, [`CoreError::Shape`]
    /// where there is no parameter, [`CoreError::Parameter`] unless `0 < rounding < 1`.
    pub fn new(
        site: impl Into<String>,
        parameters: DMatrix<f64>,
        rounding: f64,
        gradient: F,
    ) -> Result<Self, CoreError> {
        let site = site.into();
        if parameters.is_empty() {
            return Err(CoreError::Shape {
                what: format!("site `{site}`: parameters [d, M]"),
                expected: vec![1, 1],
                found: vec![parameters.nrows(), parameters.ncols()],
            });
        }
        if parameters.iter().any(|value| !value.is_finite()) {
            let quantity = "a neuron's parameters";
            return Err(CoreError::NonFinite { site, quantity });
        }
        if !(rounding > 0.0 && rounding < 1.0) {
            return Err(CoreError::Parameter {
                name: "rounding",
                value: rounding.to_string(),
                expected: "a relative rounding between 0 and 1",
            });
        }
        // ε/h and h² balance at the cube root; steps are along unit vectors.
        let step = rounding.cbrt() * parameters.amax().max(1.0);
        let shape = SiteShape {
            name: site,
            neurons: parameters.ncols(),
            dim: parameters.nrows(),
        };
        Ok(Self {
            shape,
            parameters,
            gradient,
            step,
        })
    }

    fn product(&self, vectors: &DMatrix<f64>) -> Result<DMatrix<f64>, CoreError> {
        let at = |step: f64| -> Result<DMatrix<f64>, CoreError> {
            let found = (self.gradient)(&(&self.parameters + vectors * step))?;
            if found.shape() != self.parameters.shape() {
                return Err(CoreError::Shape {
                    what: format!("site `{}`: gradient [d, M]", self.shape.name),
                    expected: vec![self.shape.dim, self.shape.neurons],
                    found: vec![found.nrows(), found.ncols()],
                });
            }
            Ok(found)
        };
        let product = (at(self.step)? - at(-self.step)?) / (2.0 * self.step);
        if product.iter().any(|value| !value.is_finite()) {
            return Err(CoreError::NonFinite {
                site: self.shape.name.clone(),
                quantity: "a splitting product",
            });
        }
        Ok(product)
    }
}

impl<F> SplittingOperator for GeneralNeurons<F>
where
    F: Fn(&DMatrix<f64>) -> Result<DMatrix<f64>, CoreError>,
{
    fn sites(&self) -> Vec<SiteShape> {
        vec![self.shape.clone()]
    }

    fn batches(&self) -> usize {
        1
    }

    fn apply_batch(
        &self,
        _batch: usize,
        directions: &[Directions],
    ) -> Result<Vec<Vec<DMatrix<f64>>>, CoreError> {
        let products = |asked: &Directions| asked.vectors.iter().map(|v| self.product(v)).collect();
        directions.iter().take(1).map(products).collect()
    }
}

impl<F> fmt::Debug for GeneralNeurons<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneralNeurons")
            .field("shape", &self.shape)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
