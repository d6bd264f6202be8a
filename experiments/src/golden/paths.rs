//! The matrix-free paths against the reference eigenvalues.

use burgeon_core::eigen::{CapturedOperator, Method, RayleighDescent, SpectrumSolver};
use burgeon_core::{Curvature, Spectrum, SplitBackend};
use burn::tensor::DType;

use super::Worst;
use crate::error::ExperimentError;

/// Passes of Rayleigh descent, each one step on a case of one batch.
pub const RAYLEIGH_PASSES: usize = 1000;

/// How far Rayleigh descent may be from the eigenvalues after them.
pub(super) const RAYLEIGH_BOUND: f64 = 0.05;

/// A matrix-free path's spectra of one site.
pub(super) fn solve(
    method: Method,
    curvature: &Curvature,
    backend: &dyn SplitBackend,
    dtype: DType,
) -> Result<Vec<Spectrum>, ExperimentError> {
    let rayleigh = RayleighDescent {
        passes: RAYLEIGH_PASSES,
        learning_rate: 1e-2,
        decay_passes: RAYLEIGH_PASSES / 5,
        ..RayleighDescent::default()
    };
    let tolerance = if dtype == DType::F64 { 1e-10 } else { 1e-6 };
    let solver = SpectrumSolver::default()
        .with_method(method)
        .with_tolerance(tolerance)
        .with_rayleigh(rayleigh);
    let operator = CapturedOperator::new(vec![curvature], backend);
    let exact = backend.accumulation_dtype();
    let mut sites = solver.solve(&operator, curvature.rows(), exact)?;
    Ok(sites.swap_remove(0).spectra)
}

/// Compares the `[least, largest]` eigenvalues with the references, neuron by neuron: relative
/// to the larger of the two, and how far they lie beyond their own residual bound.
pub(super) fn compare(
    found: &[Spectrum],
    references: [&[f64]; 2],
    errors: &mut Worst,
    beyond: &mut Worst,
) {
    for (neuron, spectrum) in found.iter().enumerate() {
        let scale = references
            .iter()
            .fold(0.0_f64, |most, r| most.max(r[neuron].abs()));
        for (pair, reference) in [&spectrum.min, &spectrum.max].into_iter().zip(references) {
            let error = (pair.value - reference[neuron]).abs();
            errors.add(error / scale);
            beyond.add((error - pair.residual).max(0.0) / scale);
        }
    }
}
