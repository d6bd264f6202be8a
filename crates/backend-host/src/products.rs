//! `(W ∘ (X Vᵀ))ᵀ X`.

use std::ops::Range;

use burgeon_core::CurvatureBlock;
use burgeon_ops::elementwise::sum;
use burgeon_ops::host::with_slice;
use burgeon_ops::lanes::Lanes;
use burgeon_ops::real::Real;
use burn::tensor::{DType, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;
use rayon::prelude::*;

use crate::fan_in::{FanIn, most_rows};
use crate::maps::products_of_maps;
use crate::projections::PackedDirections;
use crate::site::{Site, stored_type, with_site};

/// Numbers that all partial sums together may hold.
const PARTIAL_SUMS: usize = 1 << 22;

/// Partial sums at most: as many tasks may run at once.
const PARTIALS: usize = 8;

/// Multiplications of `X Vᵀ` that are worth a partial sum of their own.
const PARTIAL_WORK: usize = 1 << 22;

/// `S_j v_j` of `block` for the rows of `directions` `[M, d]`, as `(W ∘ (X Vᵀ))ᵀ X`, `[M, d]`,
/// computed in the type of `directions` and returned in f64.
pub(crate) fn splitting_products(block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
    let device = block.weights.device();
    let shape = directions.dims();
    let sums = match directions.dtype() {
        DType::F64 => in_type::<f64>(block, directions),
        _ => in_type::<f32>(block, directions),
    };
    Tensor::from_data(TensorData::new(sums, shape), (&device, DType::F64))
}

fn in_type<T: Lanes + RealField>(block: &CurvatureBlock, directions: Tensor<2>) -> Vec<f64> {
    with_slice(directions, |directions: &[T]| match stored_type(block) {
        DType::F64 => with_site(block, |site| products::<f64, T>(site, directions)),
        _ => with_site(block, |site| products::<f32, T>(site, directions)),
    })
}

fn products<S: Real, T: Lanes + RealField>(site: &Site<'_, S>, directions: &[T]) -> Vec<f64> {
    match site.input {
        FanIn::Rows { values, columns } => rows(site, values, columns, directions),
        FanIn::Maps {
            values,
            shape,
            window,
        } => products_of_maps(site, values, shape, window, directions),
    }
}

/// All neurons read the rows of `values` `[n, columns]`.
fn rows<S: Real, T: Lanes + RealField>(
    site: &Site<'_, S>,
    values: &[S],
    columns: usize,
    directions: &[T],
) -> Vec<f64> {
    let (neurons, dim, bias) = (site.neurons, site.dim, site.bias);
    let fan_in = site.fan_in();
    let rows = values.len() / columns.max(1);
    let partials = (rows * neurons * dim / PARTIAL_WORK).clamp(1, PARTIALS);
    let partials = partials.min((PARTIAL_SUMS / (neurons * dim).max(1)).max(2));
    let size = rows.div_ceil(partials).next_multiple_of(8);
    let size = size.clamp(8, most_rows(fan_in));
    let blocks: Vec<Range<usize>> = (0..rows)
        .step_by(size)
        .map(|start| start..(start + size).min(rows))
        .collect();
    // With a bias a direction's last entry multiplies the constant 1.
    let packed = PackedDirections::new(Arch::new(), directions, neurons, fan_in);
    let width = packed.width();
    let shift: Vec<T> = match bias {
        true => directions.chunks_exact(dim).map(|v| v[fan_in]).collect(),
        false => vec![T::ZERO; neurons],
    };
    let partial = |first: usize| {
        let mut sums = vec![0.0; neurons * dim];
        let (mut inputs, mut factors): (Vec<T>, Vec<T>) = (Vec::new(), Vec::new());
        let mut along = vec![T::ZERO; size * width];
        let mut product = vec![T::ZERO; neurons * fan_in];
        let mut constants = vec![T::ZERO; neurons];
        for rows in blocks.iter().skip(first).step_by(partials) {
            let x = as_type(
                &values[rows.start * columns..rows.end * columns],
                &mut inputs,
            );
            let along = &mut along[..rows.len() * width];
            packed.project(x, along);
            let weights = &site.weights[rows.start * neurons..rows.end * neurons];
            let weights: &[T] = as_type(weights, &mut factors);
            weigh(along, width, weights, &shift, &mut constants);
            let x = MatRef::from_row_major_slice(x, rows.len(), columns);
            let a = MatRef::from_row_major_slice_with_stride(along, rows.len(), neurons, width);
            let to = MatMut::from_row_major_slice_mut(&mut product, neurons, fan_in);
            matmul(to, Accum::Replace, a.transpose(), x, T::ONE, Par::Seq);
            // Compiled for the widest vectors.
            Arch::new().dispatch(|| {
                for (j, sums) in sums.chunks_exact_mut(dim).enumerate() {
                    let product = &product[j * fan_in..(j + 1) * fan_in];
                    for (sum, value) in sums.iter_mut().zip(product) {
                        *sum += value.to_f64();
                    }
                    if bias {
                        sums[fan_in] += constants[j].to_f64();
                    }
                }
            });
        }
        sums
    };
    let partial_sums: Vec<Vec<f64>> = (0..partials.min(blocks.len()))
        .into_par_iter()
        .map(partial)
        .collect();
    sum(partial_sums)
}

/// Adds `shift` to each of the lines `along`, `width` apart, and multiplies it with `weights`;
/// `sums` of the lines.
fn weigh<T: Real>(along: &mut [T], width: usize, weights: &[T], shift: &[T], sums: &mut [T]) {
    // Compiled for the widest vectors.
    Arch::new().dispatch(|| {
        sums.fill(T::ZERO);
        let neurons = shift.len();
        let lines = along.chunks_exact_mut(width);
        for (along, weights) in lines.zip(weights.chunks_exact(neurons)) {
            let entries = along.iter_mut().zip(weights).zip(shift);
            for (((a, w), shift), sum) in entries.zip(sums.iter_mut()) {
                *a = (*a + *shift) * *w;
                *sum += *a;
            }
        }
    });
}

/// `values` as `T`: themselves, or converted in `buffer`.
fn as_type<'b, S: Real, T: Real>(values: &'b [S], buffer: &'b mut Vec<T>) -> &'b [T] {
    T::same(values).unwrap_or_else(|| {
        buffer.clear();
        buffer.extend(values.iter().map(|&value| T::from_real(value)));
        buffer
    })
}
