//! The matrix-free path: all neurons of a site iterated together.
//!
//! Thick-restarted Lanczos with full reorthogonalisation. Each neuron builds an orthonormal
//! basis of the Krylov space of a random start; one block product multiplies the newest basis
//! vector of every neuron by its own splitting matrix. The projected matrix's extremal Ritz
//! pairs approximate both ends of the spectrum at once. A neuron is done when the residual
//! `‖S v − λ v‖` that Lanczos predicts for both ends is small against its largest |λ|, and
//! what is returned is measured by two more products in the exact type. Where the tolerance is
//! far above the rounding of f32, Lanczos's own values are returned instead, their residuals
//! raised by that rounding.

use std::fmt::Debug;

use burn::tensor::DType;
use nalgebra::{DMatrix, DMatrixView, DVector, RealField, SymmetricEigen};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::operator::{Directions, SiteShape};
use crate::spectrum::{Eigenpair, KrylovLimits, Spectrum, orient, verified_pair};
use crate::unit_vector::unit_vector;

/// Ritz vectors of each end that a restart keeps.
const KEPT: usize = 3;

/// Iterations before the first look at the Ritz values.
const FIRST_LOOK: usize = 6;

/// Iterations between looks at the Ritz values, at least.
const INTERVAL: usize = 2;

/// Share of a product's norm below which what is left of it is made orthogonal once more.
const CANCELLATION: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Rounding of a product, of the basis and of the Ritz vectors together, in units of the
/// type's and relative to the largest |λ|.
const ROUNDING: f64 = 32.0;

/// The iteration of one site, fed from outside with products.
#[derive(Debug)]
pub(super) struct Krylov<T> {
    dim: usize,
    limits: KrylovLimits,
    dtype: DType,
    /// The type of the products that verify, if any do.
    check: Option<DType>,
    neurons: Vec<Neuron<T>>,
    iterations: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Iterate,
    Verify,
    Done(Vec<Spectrum>),
}

/// One neuron's basis and projected matrix.
#[derive(Debug)]
struct Neuron<T> {
    /// Orthonormal vectors, one after the other; the last has no product yet.
    basis: Vec<T>,
    /// What products are divided by: the first one's largest entry, so that f32 neither
    /// overflows nor vanishes.
    scale: Option<f64>,
    /// `Qᵀ S Q`, over the scale, of the vectors that have products: the upper triangle, column
    /// by column.
    projected: Vec<f64>,
    next_look: usize,
    /// The lower and the upper end, once done.
    ends: Option<[End; 2]>,
}

/// A Ritz pair.
#[derive(Debug, Clone)]
struct End {
    value: f64,
    vector: DVector<f64>,
    residual: f64,
}

impl From<End> for Eigenpair {
    fn from(end: End) -> Self {
        let mut vector = end.vector;
        orient(&mut vector);
        Self {
            value: end.value,
            vector: vector.as_slice().to_vec(),
            residual: end.residual,
        }
    }
}

impl<T: RealField + Copy> Krylov<T> {
    /// Products in `dtype`, and in `check` those that verify.
    pub fn new(
        shape: &SiteShape,
        limits: KrylovLimits,
        dtype: DType,
        check: Option<DType>,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x5EED);
        // As many vectors as there are at the first look need not move.
        let capacity = shape.dim * (limits.iterations.min(FIRST_LOOK) + 1);
        let start = |_| Neuron {
            basis: {
                let mut basis = Vec::with_capacity(capacity);
                basis.extend(
                    unit_vector(shape.dim, &mut rng)
                        .into_iter()
                        .map(nalgebra::convert::<f64, T>),
                );
                basis
            },
            scale: None,
            projected: Vec::new(),
            next_look: FIRST_LOOK,
            ends: None,
        };
        Self {
            dim: shape.dim,
            limits,
            dtype,
            check,
            neurons: (0..shape.neurons).map(start).collect(),
            iterations: 0,
            stage: Stage::Iterate,
        }
    }

    /// Bytes that the basis vectors take.
    pub fn bytes(&self) -> usize {
        let numbers: usize = self.neurons.iter().map(|n| n.basis.capacity()).sum();
        numbers * size_of::<T>()
    }

    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// The spectra, once [`directions`](Self::directions) has nothing more to ask.
    pub fn into_spectra(self) -> Vec<Spectrum> {
        match self.stage {
            Stage::Done(spectra) => spectra,
            _ => Vec::new(),
        }
    }

    /// What to multiply next; a neuron that is done asks for 0.
    pub fn directions(&self) -> Directions {
        let dim = self.dim;
        let gathered = |of: &dyn Fn(&Neuron<T>, &mut [f64])| {
            let mut vectors = DMatrix::zeros(dim, self.neurons.len());
            let columns = vectors.as_mut_slice().chunks_exact_mut(dim);
            for (column, neuron) in columns.zip(&self.neurons) {
                of(neuron, column);
            }
            vectors
        };
        let end = |index: usize| {
            gathered(&|neuron, column| {
                if let Some(ends) = &neuron.ends {
                    column.copy_from_slice(ends[index].vector.as_slice());
                }
            })
        };
        match self.stage {
            Stage::Iterate => Directions {
                vectors: vec![gathered(&|neuron, column| {
                    if neuron.ends.is_none() {
                        let last = &neuron.basis[neuron.basis.len() - dim..];
                        for (to, from) in column.iter_mut().zip(last) {
                            *to = to_f64(*from);
                        }
                    }
                })],
                dtype: self.dtype,
            },
            Stage::Verify => Directions {
                vectors: vec![end(0), end(1)],
                dtype: self.check.unwrap_or(self.dtype),
            },
            Stage::Done(_) => Directions::NONE,
        }
    }

    /// Takes the products of what [`directions`](Self::directions) asked for.
    pub fn absorb(&mut self, products: &[DMatrix<f64>]) {
        match (&self.stage, products) {
            (Stage::Iterate, [products]) => {
                self.iterations += 1;
                let last = self.iterations >= self.limits.iterations;
                let (dim, limits) = (self.dim, self.limits);
                self.neurons
                    .par_iter_mut()
                    .enumerate()
                    .filter(|(_, neuron)| neuron.ends.is_none())
                    .for_each(|(j, neuron)| {
                        neuron.step(dim, products.column(j).as_slice(), limits, last);
                    });
                if self.neurons.iter().all(|neuron| neuron.ends.is_some()) {
                    self.stage = match self.check {
                        Some(_) => Stage::Verify,
                        None => Stage::Done(
                            self.neurons
                                .iter_mut()
                                .filter_map(Neuron::spectrum)
                                .collect(),
                        ),
                    };
                }
            }
            (Stage::Verify, [min, max]) => {
                let spectrum = |(j, neuron): (usize, &Neuron<T>)| {
                    let [low, high] = neuron.ends.clone()?;
                    let low = verified_pair(low.vector, &min.column(j).into_owned());
                    let high = verified_pair(high.vector, &max.column(j).into_owned());
                    Some(Spectrum::ordered(low, high))
                };
                let spectra = self.neurons.iter().enumerate().filter_map(spectrum);
                self.stage = Stage::Done(spectra.collect());
            }
            _ => {}
        }
    }
}

fn to_f64<T: RealField + Copy>(value: T) -> f64 {
    nalgebra::try_convert(value).unwrap_or(f64::NAN)
}

/// The matrix whose upper triangle is `packed`, column by column.
fn symmetric(packed: &[f64]) -> DMatrix<f64> {
    let mut size = 0;
    while size * (size + 1) / 2 < packed.len() {
        size += 1;
    }
    let mut matrix = DMatrix::zeros(size, size);
    let mut values = packed.iter();
    for column in 0..size {
        for (row, value) in (0..=column).zip(values.by_ref()) {
            matrix[(row, column)] = *value;
            matrix[(column, row)] = *value;
        }
    }
    matrix
}

/// Takes what is along each vector of the orthonormal `basis` out of `rest`, and adds it to
/// `along`.
fn project_out<T: RealField + Copy>(basis: &[T], rest: &mut [T], along: &mut [f64]) {
    for (vector, along) in basis.chunks_exact(rest.len()).zip(along) {
        let part = dot(vector, rest);
        for (rest, value) in rest.iter_mut().zip(vector) {
            *rest -= part * *value;
        }
        *along += to_f64(part);
    }
}

/// In several sums side by side, which become vectors.
fn dot<T: RealField + Copy>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 16;
    let mut sums = [T::zero(); LANES];
    let (parts, others) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = parts.remainder().iter().zip(others.remainder());
    let rest = rest.fold(T::zero(), |sum, (a, b)| sum + *a * *b);
    for (a, b) in parts.zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
    sums.into_iter().fold(rest, |sum, part| sum + part)
}

fn norm<T: RealField + Copy>(values: &[T]) -> T {
    dot(values, values).sqrt()
}

impl<T: RealField + Copy> Neuron<T> {
    fn spectrum(&mut self) -> Option<Spectrum> {
        let [low, high] = self.ends.take()?;
        Some(Spectrum::ordered(low.into(), high.into()))
    }

    fn step(&mut self, dim: usize, product: &[f64], limits: KrylovLimits, last: bool) {
        let count = self.basis.len() / dim;
        let one = *self.scale.get_or_insert_with(|| {
            let largest = product.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            if largest > 0.0 { largest } else { 1.0 }
        });
        self.basis.extend(
            product
                .iter()
                .map(|value| nalgebra::convert::<f64, T>(value / one)),
        );
        let (basis, rest) = self.basis.split_at_mut(dim * count);
        let size = norm(rest);
        let first = self.projected.len();
        self.projected.resize(first + count, 0.0);
        let along = &mut self.projected[first..];
        project_out(basis, rest, along);
        // Where much of it went, what rounding left along the basis is not small against the
        // rest (Daniel, Gragg, Kaufman and Stewart, 1976).
        let mut beta = norm(rest);
        if beta < size * nalgebra::convert(CANCELLATION) {
            project_out(basis, rest, along);
            beta = norm(rest);
        }
        let rounding = T::default_epsilon() * nalgebra::convert(16.0);
        let exhausted = count == dim || beta <= size * rounding || beta == T::zero();
        if exhausted {
            self.basis.truncate(dim * count);
        } else {
            for value in rest {
                *value /= beta;
            }
        }
        let full = count >= limits.basis.max(2 * KEPT + 2);
        if exhausted || last || full || count >= self.next_look {
            let beta = to_f64(beta);
            self.look(dim, if exhausted { 0.0 } else { beta }, limits, last);
            self.next_look = count + INTERVAL.max(count / 4);
            if self.ends.is_none() && full {
                self.next_look = 2 * KEPT + INTERVAL;
            }
        }
    }

    /// Ends the iteration if both ends have converged or it may not go on, or restarts it if
    /// the basis is full.
    fn look(&mut self, dim: usize, beta: f64, limits: KrylovLimits, last: bool) {
        let projected = symmetric(&self.projected);
        let count = projected.nrows();
        let ritz = SymmetricEigen::new(projected);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| ritz.eigenvalues[*a].total_cmp(&ritz.eigenvalues[*b]));
        let (low, high) = (order[0], order[count - 1]);
        let scale = ritz.eigenvalues[low]
            .abs()
            .max(ritz.eigenvalues[high].abs());
        let residual = |index: usize| beta * ritz.eigenvectors[(count - 1, index)].abs();
        let allowed = limits.tolerance * scale;
        let basis = DMatrixView::from_slice(&self.basis[..dim * count], dim, count);
        let vector = |index: usize| {
            let coefficients = ritz.eigenvectors.column(index);
            let coefficients = coefficients.map(nalgebra::convert);
            basis * coefficients
        };
        if beta == 0.0 || last || (residual(low) <= allowed && residual(high) <= allowed) {
            let one = self.scale.unwrap_or(1.0);
            let rounding = ROUNDING * to_f64(T::default_epsilon()) * scale;
            let end = |index: usize| End {
                value: one * ritz.eigenvalues[index],
                vector: vector(index).map(to_f64).normalize(),
                residual: one * (residual(index) + rounding),
            };
            self.ends = Some([end(low), end(high)]);
            self.basis = Vec::new();
        } else if count >= limits.basis.max(2 * KEPT + 2) {
            let kept: Vec<usize> = order[..KEPT]
                .iter()
                .chain(&order[count - KEPT..])
                .copied()
                .collect();
            let newest = self.basis[dim * count..].to_vec();
            let vectors: Vec<T> = kept
                .iter()
                .flat_map(|&index| vector(index).as_slice().to_vec())
                .collect();
            self.basis = vectors;
            self.basis.extend(newest);
            self.projected.clear();
            for (column, &index) in kept.iter().enumerate() {
                self.projected.resize(self.projected.len() + column, 0.0);
                self.projected.push(ritz.eigenvalues[index]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
