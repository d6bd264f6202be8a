//! Second moments of what a site reads and of the functional gradient where the site is read.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::error::CoreError;

/// Second moments of a site, sums over its rows (samples, times positions for a convolution) as
/// means over samples.
///
/// `b` `[d]` is what the neurons read, bias included. `v` is the functional gradient, minus the
/// gradient of a sample's loss, at the outputs of the layers that read the site, less what their
/// weights as they are can express of it:
///
/// ```text
/// V_proj = V − B' (B'ᵀB')⁺ B'ᵀV ,     B' what those layers read, with a 1 where they have a bias
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SiteMoments {
    /// `S = E[b bᵀ]`, `[d, d]`.
    pub inputs: DMatrix<f64>,
    /// `N = E[b v_projᵀ]`, `[d, k]`: a column for each number by which a neuron is read, in the
    /// order of a new neuron's fan-out.
    pub cross: DMatrix<f64>,
    /// `E‖V‖²`.
    pub desired: f64,
    /// `E‖V_proj‖²`: what no change of the weights that read the site reaches.
    pub bottleneck: f64,
}

/// The moments of a site, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Moments {
    /// What was found.
    Known(Arc<SiteMoments>),
    /// Why they are not defined here.
    Undefined(String),
}

impl Moments {
    /// The moments, where there are any.
    pub fn known(&self) -> Option<&SiteMoments> {
        match self {
            Self::Known(moments) => Some(moments),
            Self::Undefined(_) => None,
        }
    }
}

/// Eigenvalues below this share of the largest count as 0 in a pseudo-inverse.
const NEGLIGIBLE: f64 = 1e-10;

/// The `D` of least squares `‖V − B D‖²` and least norm, `[p, k]`: `(BᵀB)⁺ BᵀV` of `gram` `BᵀB`
/// `[p, p]` and `cross` `BᵀV` `[p, k]`.
///
/// # Errors
/// [`CoreError::NonFinite`] where a moment is not finite, [`CoreError::Eigen`] where the
/// decomposition does not converge, [`CoreError::Shape`] where the two do not fit.
pub fn least_squares(
    site: &str,
    gram: &DMatrix<f64>,
    cross: &DMatrix<f64>,
) -> Result<DMatrix<f64>, CoreError> {
    let whitening = Whitening::of(site, gram, NEGLIGIBLE)?;
    Ok(&whitening.root * whitening.apply(site, cross)?)
}

/// `R` with `R Rᵀ = S⁺`.
pub(crate) struct Whitening {
    /// `[d, r]`, `r` the rank of `S`.
    pub root: DMatrix<f64>,
}

impl Whitening {
    /// Of a symmetric `S ≥ 0` `[d, d]`; eigenvalues up to `threshold` times the largest count
    /// as 0.
    pub fn of(site: &str, matrix: &DMatrix<f64>, threshold: f64) -> Result<Self, CoreError> {
        if !matrix.is_square() {
            return Err(CoreError::Shape {
                what: format!("site `{site}`: second moments"),
                expected: vec![matrix.nrows(), matrix.nrows()],
                found: vec![matrix.nrows(), matrix.ncols()],
            });
        }
        check_finite(site, matrix)?;
        let dim = matrix.nrows();
        let symmetric = (matrix + matrix.transpose()) * 0.5;
        let decomposed = symmetric
            .try_symmetric_eigen(f64::EPSILON, 0)
            .ok_or_else(|| CoreError::Eigen {
                site: site.to_owned(),
                neuron: 0,
            })?;
        let values = &decomposed.eigenvalues;
        let largest = values.iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> = (0..dim)
            .filter(|index| values[*index] > threshold * largest)
            .collect();
        let mut root = decomposed.eigenvectors.select_columns(&kept);
        for (mut column, index) in root.column_iter_mut().zip(kept) {
            column /= values[index].sqrt();
        }
        Ok(Self { root })
    }

    /// `Rᵀ N`, `[r, k]`.
    pub fn apply(&self, site: &str, cross: &DMatrix<f64>) -> Result<DMatrix<f64>, CoreError> {
        if cross.nrows() != self.root.nrows() {
            return Err(CoreError::Shape {
                what: format!("site `{site}`: cross moments"),
                expected: vec![self.root.nrows(), cross.ncols()],
                found: vec![cross.nrows(), cross.ncols()],
            });
        }
        check_finite(site, cross)?;
        Ok(self.root.tr_mul(cross))
    }
}

fn check_finite(site: &str, matrix: &DMatrix<f64>) -> Result<(), CoreError> {
    match matrix.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(CoreError::NonFinite {
            site: site.to_owned(),
            quantity: "its second moments",
        }),
    }
}
