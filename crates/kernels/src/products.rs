//! `(W ∘ (X Vᵀ))ᵀ X`.

use std::ops::Range;

use burgeon_core::CurvatureBlock;
use burn::tensor::{DType, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::fan_in::FanIn;
use crate::host::with_slice;
use crate::real::Real;
use crate::site::{Site, stored_type, with_site};

/// Numbers that all partial sums together may hold.
const PARTIAL_SUMS: usize = 1 << 22;

/// Channels of a depthwise convolution that one task takes: one cache line of weights.
pub(crate) const CHANNELS: usize = 16;

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

fn in_type<T: Real>(block: &CurvatureBlock, directions: Tensor<2>) -> Vec<f64> {
    with_slice(directions, |directions: &[T]| match stored_type(block) {
        DType::F64 => with_site(block, |site| products::<f64, T>(site, directions)),
        _ => with_site(block, |site| products::<f32, T>(site, directions)),
    })
}

fn products<S: Real, T: Real>(site: &Site<'_, S>, directions: &[T]) -> Vec<f64> {
    if site.channel_wise {
        channel_wise(site, directions)
    } else {
        shared(site, directions)
    }
}

/// All neurons read the same rows.
fn shared<S: Real, T: Real>(site: &Site<'_, S>, directions: &[T]) -> Vec<f64> {
    let Site {
        input,
        weights,
        neurons,
        dim,
        bias,
        ..
    } = *site;
    let fan_in = site.fan_in();
    let blocks = FanIn::<S>::blocks(input.rows(), fan_in);
    let partials = (PARTIAL_SUMS / (neurons * dim).max(1)).clamp(2, 8);
    // With a bias a direction's last entry multiplies the constant 1.
    let v = MatRef::from_row_major_slice(directions, neurons, dim);
    let (v, constant) = (v.subcols(0, fan_in), bias.then(|| v.col(fan_in)));
    let partial = |first: usize| {
        let mut sums = vec![0.0; neurons * dim];
        let mut buffer: Vec<T> = Vec::new();
        let mut along = Vec::new();
        let mut product = vec![T::ZERO; neurons * fan_in];
        for rows in blocks.iter().skip(first).step_by(partials) {
            let x = input.block(rows.clone(), &mut buffer);
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
                    for (sums, a) in sums.chunks_exact_mut(dim).zip(line) {
                        sums[fan_in] += a.to_f64();
                    }
                }
            }
        }
        sums
    };
    let partial_sums: Vec<Vec<f64>> = (0..partials.min(blocks.len()))
        .into_par_iter()
        .map(partial)
        .collect();
    sum(partial_sums)
}

fn sum(partial_sums: Vec<Vec<f64>>) -> Vec<f64> {
    let mut partial_sums = partial_sums.into_iter();
    let mut total = partial_sums.next().unwrap_or_default();
    for partial in partial_sums {
        for (to, from) in total.iter_mut().zip(partial) {
            *to += from;
        }
    }
    total
}

/// Each neuron reads its own channel.
fn channel_wise<S: Real, T: Real>(site: &Site<'_, S>, directions: &[T]) -> Vec<f64> {
    let Site {
        weights,
        neurons,
        dim,
        ..
    } = *site;
    let groups: Vec<Range<usize>> = (0..neurons)
        .step_by(CHANNELS)
        .map(|first| first..(first + CHANNELS).min(neurons))
        .collect();
    let parts: Vec<Vec<f64>> = groups
        .into_par_iter()
        .map(|channels| {
            let mut sums = vec![0.0; channels.len() * dim];
            for_channel_blocks(site, channels.clone(), |index, rows, taps| {
                let channel = channels.start + index;
                let v = &directions[channel * dim..(channel + 1) * dim];
                let count = rows.len();
                let mut along = vec![T::ZERO; count];
                for (line, v) in taps.chunks_exact(count).zip(v) {
                    for (a, x) in along.iter_mut().zip(line) {
                        *a += *x * *v;
                    }
                }
                for (a, row) in along.iter_mut().zip(rows) {
                    *a *= T::from_real(weights[row * neurons + channel]);
                }
                let sums = &mut sums[index * dim..(index + 1) * dim];
                for (sum, line) in sums.iter_mut().zip(taps.chunks_exact(count)) {
                    *sum += dot(&along, line).to_f64();
                }
            });
            sums
        })
        .collect();
    parts.concat()
}

/// Runs `work` on the taps (a constant line last, with a bias) of every block of rows of every
/// channel: `work(index in channels, rows, taps)`.
pub(crate) fn for_channel_blocks<S: Real, T: Real>(
    site: &Site<'_, S>,
    channels: Range<usize>,
    mut work: impl FnMut(usize, Range<usize>, &[T]),
) {
    let mut taps = Vec::new();
    for rows in FanIn::<S>::blocks(site.input.rows(), site.dim) {
        let count = rows.len();
        for (index, channel) in channels.clone().enumerate() {
            taps.resize(site.dim * count, T::ZERO);
            let fan_in = site.fan_in() * count;
            site.input
                .taps(rows.clone(), channel..channel + 1, &mut taps[..fan_in]);
            taps[fan_in..].fill(T::ONE);
            work(index, rows.clone(), &taps);
        }
    }
}

/// The dot product, in eight interleaved sums that the compiler turns into vectors.
pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut rest = T::ZERO;
    for (x, y) in left.remainder().iter().zip(right.remainder()) {
        rest += *x * *y;
    }
    for (x, y) in left.zip(right) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += *x * *y;
        }
    }
    sums.into_iter().fold(rest, |total, sum| total + sum)
}
