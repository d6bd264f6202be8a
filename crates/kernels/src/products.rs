//! `(W ∘ (X Vᵀ))ᵀ X`.

use burgeon_core::{CurvatureBlock, Window};
use burn::tensor::{DType, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::convolution::{Channels, Geometry, curvature_products};
use crate::fan_in::FanIn;
use crate::host::with_slice;
use crate::lanes::Lanes;
use crate::real::Real;
use crate::site::{Site, stored_type, with_site};

/// Numbers that all partial sums together may hold.
const PARTIAL_SUMS: usize = 1 << 22;

/// `S_j v_j` of `block` for the rows of `directions` `[M, d]`, as `(W ∘ (X Vᵀ))ᵀ X`, `[M, d]`,
/// computed in the type of `directions` and returned in f64.
pub fn splitting_products(block: &CurvatureBlock, directions: Tensor<2>) -> Tensor<2> {
    let device = block.weights.device();
    let shape = directions.dims();
    let sums = match directions.dtype() {
        DType::F64 => in_type::<f64>(block, directions),
        _ => in_type::<f32>(block, directions),
    };
    Tensor::from_data(TensorData::new(sums, shape), (&device, DType::F64))
}

fn in_type<T: Lanes>(block: &CurvatureBlock, directions: Tensor<2>) -> Vec<f64> {
    with_slice(directions, |directions: &[T]| match stored_type(block) {
        DType::F64 => with_site(block, |site| products::<f64, T>(site, directions)),
        _ => with_site(block, |site| products::<f32, T>(site, directions)),
    })
}

fn products<S: Real, T: Lanes>(site: &Site<'_, S>, directions: &[T]) -> Vec<f64> {
    match site.input {
        FanIn::Rows { values, columns } => rows(site, values, columns, directions),
        FanIn::Maps {
            values,
            shape,
            window,
        } => maps(site, values, shape, window, directions),
    }
}

/// A convolution with the directions as its filters, and its weight gradient.
fn maps<S: Real, T: Lanes>(
    site: &Site<'_, S>,
    values: &[S],
    [batch, inputs, height, width]: [usize; 4],
    window: Window,
    directions: &[T],
) -> Vec<f64> {
    let (dim, fan_in) = (site.dim, site.fan_in());
    let geometry = Geometry::new(window, batch, inputs, [height, width]);
    let channels = Channels {
        inputs,
        outputs: site.neurons,
        groups: if site.channel_wise { inputs } else { 1 },
    };
    if !site.bias {
        return curvature_products(&geometry, channels, values, site.weights, directions, None).0;
    }
    let mut filters = Vec::with_capacity(site.neurons * fan_in);
    let mut constant = Vec::with_capacity(site.neurons);
    for direction in directions.chunks_exact(dim) {
        filters.extend_from_slice(&direction[..fan_in]);
        constant.push(direction[fan_in]);
    }
    let weights = site.weights;
    let (sums, constants) = curvature_products(
        &geometry,
        channels,
        values,
        weights,
        &filters,
        Some(&constant),
    );
    let lines = sums.chunks_exact(fan_in).zip(constants);
    lines
        .flat_map(|(line, constant)| line.iter().copied().chain([constant]))
        .collect()
}

/// All neurons read the rows of `values` `[n, columns]`.
fn rows<S: Real, T: Real>(
    site: &Site<'_, S>,
    values: &[S],
    columns: usize,
    directions: &[T],
) -> Vec<f64> {
    let Site {
        weights,
        neurons,
        dim,
        bias,
        ..
    } = *site;
    let fan_in = site.fan_in();
    let blocks = FanIn::<S>::blocks(values.len() / columns.max(1), fan_in);
    let partials = (PARTIAL_SUMS / (neurons * dim).max(1)).clamp(2, 8);
    // With a bias a direction's last entry multiplies the constant 1.
    let v = MatRef::from_row_major_slice(directions, neurons, dim);
    let (v, constant) = (v.subcols(0, fan_in), bias.then(|| v.col(fan_in)));
    let partial = |first: usize| {
        let mut sums = vec![0.0; neurons * dim];
        let mut buffer: Vec<T> = Vec::new();
        let mut along = Vec::new();
        let mut product = vec![T::ZERO; neurons * fan_in];
        let mut constants = vec![0.0; if bias { neurons } else { 0 }];
        for rows in blocks.iter().skip(first).step_by(partials) {
            let x = as_type(
                &values[rows.start * columns..rows.end * columns],
                &mut buffer,
            );
            let x = MatRef::from_row_major_slice(x, rows.len(), columns);
            along.resize(rows.len() * neurons, T::ZERO);
            let a = MatMut::from_row_major_slice_mut(&mut along, rows.len(), neurons);
            matmul(a, Accum::Replace, x, v.transpose(), T::ONE, Par::Seq);
            let weights = &weights[rows.start * neurons..rows.end * neurons];
            let lines = along.chunks_exact_mut(neurons);
            for (along, weights) in lines.zip(weights.chunks_exact(neurons)) {
                if let Some(constant) = constant {
                    for (j, a) in along.iter_mut().enumerate() {
                        *a += constant[j];
                    }
                }
                for (a, w) in along.iter_mut().zip(weights) {
                    *a *= T::from_real(*w);
                }
            }
            let a = MatRef::from_row_major_slice(&along, rows.len(), neurons);
            let to = MatMut::from_row_major_slice_mut(&mut product, neurons, fan_in);
            matmul(to, Accum::Replace, a.transpose(), x, T::ONE, Par::Seq);
            let lines = sums.chunks_exact_mut(dim);
            for (sums, product) in lines.zip(product.chunks_exact(fan_in.max(1))) {
                for (sum, value) in sums.iter_mut().zip(product) {
                    *sum += value.to_f64();
                }
            }
            if bias {
                for line in along.chunks_exact(neurons) {
                    for (sum, a) in constants.iter_mut().zip(line) {
                        *sum += a.to_f64();
                    }
                }
            }
        }
        for (sums, constant) in sums.chunks_exact_mut(dim).zip(constants) {
            sums[fan_in] = constant;
        }
        sums
    };
    let partial_sums: Vec<Vec<f64>> = (0..partials.min(blocks.len()))
        .into_par_iter()
        .map(partial)
        .collect();
    sum(partial_sums)
}

/// `values` as `T`: themselves, or converted in `buffer`.
fn as_type<'b, S: Real, T: Real>(values: &'b [S], buffer: &'b mut Vec<T>) -> &'b [T] {
    T::same(values).unwrap_or_else(|| {
        buffer.clear();
        buffer.extend(values.iter().map(|&value| T::from_real(value)));
        buffer
    })
}

/// The sum of vectors, in their order.
pub(crate) fn sum<T: Real>(partial_sums: Vec<Vec<T>>) -> Vec<T> {
    let mut partial_sums = partial_sums.into_iter();
    let mut total = partial_sums.next().unwrap_or_default();
    for partial in partial_sums {
        for (to, from) in total.iter_mut().zip(partial) {
            *to += from;
        }
    }
    total
}
