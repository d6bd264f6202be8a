//! The reference path: full decomposition of each matrix by nalgebra.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;

use super::{Eigenpair, Spectrum};
use crate::error::CoreError;

const MAX_ITERATIONS: usize = 10_000;

/// The spectra of all neurons of `site`, in parallel over neurons.
///
/// # Errors
/// As [`spectrum`].
pub fn dense_spectra(site: &str, matrices: &[DMatrix<f64>]) -> Result<Vec<Spectrum>, CoreError> {
    matrices
        .par_iter()
        .enumerate()
        .map(|(neuron, matrix)| spectrum(site, neuron, matrix))
        .collect()
}

/// Both extremal eigenpairs of one symmetric `matrix` `[d, d]`.
///
/// `site` and `neuron` name the matrix in errors. Scale does not matter: the
/// matrix is divided by its largest entry first.
///
/// # Errors
/// [`CoreError::Shape`] unless the matrix is square and not empty,
/// [`CoreError::NonFinite`] for NaN or an infinity, [`CoreError::Eigen`] if the
/// iteration does not converge.
pub fn spectrum(site: &str, neuron: usize, matrix: &DMatrix<f64>) -> Result<Spectrum, CoreError> {
    let d = matrix.nrows();
    if d == 0 || matrix.ncols() != d {
        return Err(CoreError::Shape {
            what: format!("site `{site}`, neuron {neuron}: splitting matrix"),
            expected: vec![d.max(1), d.max(1)],
            found: vec![d, matrix.ncols()],
        });
    }
    let scale = matrix.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if matrix.iter().any(|value| !value.is_finite()) {
        return Err(CoreError::NonFinite {
            site: site.to_owned(),
            quantity: "a splitting matrix",
        });
    }
    if scale == 0.0 {
        let pair = pair(
            matrix,
            0.0,
            DVector::from_fn(d, |row, _| f64::from(u8::from(row == 0))),
        );
        return Ok(Spectrum {
            min: pair.clone(),
            max: pair,
        });
    }
    let eigen =
        SymmetricEigen::try_new(matrix / scale, f64::EPSILON, MAX_ITERATIONS).ok_or_else(|| {
            CoreError::Eigen {
                site: site.to_owned(),
                neuron,
            }
        })?;
    let end = |index: usize| {
        let vector = eigen.eigenvectors.column(index).normalize();
        pair(matrix, eigen.eigenvalues[index] * scale, vector)
    };
    Ok(Spectrum {
        min: end(eigen.eigenvalues.imin()),
        max: end(eigen.eigenvalues.imax()),
    })
}

fn pair(matrix: &DMatrix<f64>, value: f64, mut vector: DVector<f64>) -> Eigenpair {
    if vector[vector.icamax()] < 0.0 {
        vector.neg_mut();
    }
    let residual = (matrix * &vector - &vector * value).norm();
    Eigenpair {
        value,
        vector: vector.as_slice().to_vec(),
        residual,
    }
}
