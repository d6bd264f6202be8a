//! The largest singular values of a site's matrix.

use nalgebra::{DMatrix, DVector};

use crate::capture::Site;
use crate::error::CoreError;

/// Singular values with their vectors.
#[derive(Debug)]
pub(super) struct SingularValues {
    /// Left vectors, column by column.
    pub left: DMatrix<f64>,
    /// Right vectors, row by row.
    pub right: DMatrix<f64>,
    pub values: DVector<f64>,
    /// Which of them count, the largest first.
    pub order: Vec<usize>,
}

impl SingularValues {
    /// Those of `matrix`; what is not above `threshold` times the largest does not count, nor do
    /// more than `site` has neurons: a layer at most doubles.
    ///
    /// # Errors
    /// [`CoreError::Eigen`] where the decomposition fails.
    pub fn of(site: &Site, matrix: DMatrix<f64>, threshold: f64) -> Result<Self, CoreError> {
        let failed = || CoreError::Eigen {
            site: site.name.clone(),
            neuron: site.neurons,
        };
        let decomposed = matrix.try_svd(true, true, f64::EPSILON, 0);
        let decomposed = decomposed.ok_or_else(failed)?;
        let values = decomposed.singular_values;
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let largest = order.first().map_or(0.0, |first| values[*first]);
        order.retain(|index| values[*index] > threshold * largest);
        order.truncate(site.neurons);
        Ok(Self {
            left: decomposed.u.ok_or_else(failed)?,
            right: decomposed.v_t.ok_or_else(failed)?,
            values,
            order,
        })
    }
}
