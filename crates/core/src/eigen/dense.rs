//! The dense path: full decomposition of each matrix, by nalgebra where it is small and by
//! faer where it is large.

use faer::{MatRef, Side};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;

use crate::error::CoreError;
use crate::spectrum::{Eigenpair, Spectrum, orient};

const MAX_ITERATIONS: usize = 10_000;

/// From this dimension on faer decomposes; the two are equal near 64, faer a fifth faster here
/// (`cargo bench --bench splitting`).
const FAER_FROM: usize = 96;

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
    let (values, vectors) = decompose(&(matrix / scale)).ok_or_else(|| CoreError::Eigen {
        site: site.to_owned(),
        neuron,
    })?;
    let end = |index: usize| {
        let vector = vectors.column(index).normalize();
        pair(matrix, values[index] * scale, vector)
    };
    Ok(Spectrum {
        min: end(values.imin()),
        max: end(values.imax()),
    })
}

/// Eigenvalues, and eigenvectors as columns; by the library that is the faster at this size.
/// `None` where neither finds numbers.
fn decompose(matrix: &DMatrix<f64>) -> Option<Eigen> {
    let found = match matrix.nrows() < FAER_FROM {
        true => by_nalgebra(matrix),
        false => None,
    };
    // Of matrices of low rank nalgebra finds infinite eigenvalues now and then.
    found.or_else(|| by_faer(matrix))
}

type Eigen = (DVector<f64>, DMatrix<f64>);

fn finite((values, vectors): Eigen) -> Option<Eigen> {
    let mut all = values.iter().chain(&vectors);
    all.all(|value| value.is_finite())
        .then_some((values, vectors))
}

fn by_nalgebra(matrix: &DMatrix<f64>) -> Option<Eigen> {
    let eigen = SymmetricEigen::try_new(matrix.clone(), f64::EPSILON, MAX_ITERATIONS)?;
    finite((eigen.eigenvalues, eigen.eigenvectors))
}

fn by_faer(matrix: &DMatrix<f64>) -> Option<Eigen> {
    let d = matrix.nrows();
    let view = MatRef::from_column_major_slice(matrix.as_slice(), d, d);
    let eigen = view.self_adjoint_eigen(Side::Lower).ok()?;
    let values = eigen.S().column_vector();
    let vectors = eigen.U();
    finite((
        DVector::from_fn(d, |row, _| values[row]),
        DMatrix::from_fn(d, d, |row, column| vectors[(row, column)]),
    ))
}

fn pair(matrix: &DMatrix<f64>, value: f64, mut vector: DVector<f64>) -> Eigenpair {
    orient(&mut vector);
    let residual = (matrix * &vector - &vector * value).norm();
    Eigenpair {
        value,
        vector: vector.as_slice().to_vec(),
        residual,
    }
}
