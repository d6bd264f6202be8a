//! `Xᵀ diag(W_:j) X`.

use std::ops::Range;

use burgeon_core::CurvatureBlock;
use burgeon_ops::real::Real;
use burn::tensor::{DType, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::fan_in::FanIn;
use crate::site::{Site, stored_type, with_site};

/// Entries of the upper triangle that one task takes.
const PANEL: usize = 512;

/// Channels of a depthwise convolution that one task takes: one cache line of weights.
const CHANNELS: usize = 16;

/// Rows whose pairwise products are formed at once.
const ROWS: usize = 256;

/// `S_j = Xᵀ diag(W_:j) X` of `block` for every neuron, `[M, d, d]`, computed in `dtype` (f32
/// or f64) and returned in f64.
///
/// Only the upper triangle is computed: with `Z` the products `x_a x_b`, a ≤ b, of each row,
/// `[n, d(d+1)/2]`, all neurons' triangles are `Wᵀ Z`, so `Z` is formed once for all of them.
pub(crate) fn splitting_matrices(block: &CurvatureBlock, dtype: DType) -> Tensor<3> {
    let device = block.weights.device();
    let (neurons, dim) = (block.neurons(), block.dim());
    let values = match (stored_type(block), dtype) {
        (DType::F64, DType::F64) => with_site(block, matrices::<f64, f64>),
        (DType::F64, _) => with_site(block, matrices::<f64, f32>),
        (_, DType::F64) => with_site(block, matrices::<f32, f64>),
        _ => with_site(block, matrices::<f32, f32>),
    };
    let data = TensorData::new(values, [neurons, dim, dim]);
    Tensor::from_data(data, (&device, DType::F64))
}

fn matrices<S: Real, T: Real + RealField>(site: &Site<'_, S>) -> Vec<f64> {
    if site.channel_wise {
        channel_wise::<S, T>(site)
    } else {
        shared::<S, T>(site)
    }
}

/// Rows `a` of the upper triangle that one task takes, with their entries' sums
/// `[entries, M]`.
struct Panel {
    lines: Range<usize>,
    sums: Vec<f64>,
}

/// All neurons read the same rows.
fn shared<S: Real, T: Real + RealField>(site: &Site<'_, S>) -> Vec<f64> {
    let Site {
        input,
        weights,
        neurons,
        dim,
        ..
    } = *site;
    let mut panels = panels(dim, neurons);
    let mut taps = Vec::new();
    let mut block_weights: Vec<T> = Vec::new();
    for start in (0..input.rows()).step_by(ROWS) {
        let rows = start..(start + ROWS).min(input.rows());
        let count = rows.len();
        // A constant last line is the bias.
        taps.resize(dim * count, T::ZERO);
        taps.fill(T::ONE);
        gather(site, rows.clone(), &mut taps);
        block_weights.clear();
        let part = &weights[rows.start * neurons..rows.end * neurons];
        block_weights.extend(part.iter().map(|&w| T::from_real(w)));
        let w = MatRef::from_row_major_slice(&block_weights, count, neurons);
        let taps = &taps;
        panels.par_iter_mut().for_each_init(
            || (Vec::new(), Vec::new()),
            |(products, sums), panel| {
                let entries = panel.sums.len() / neurons;
                products.resize(entries * count, T::ZERO);
                let mut lines = products.chunks_exact_mut(count);
                for a in panel.lines.clone() {
                    let left = &taps[a * count..(a + 1) * count];
                    for (right, to) in taps[a * count..].chunks_exact(count).zip(&mut lines) {
                        for ((to, x), y) in to.iter_mut().zip(left).zip(right) {
                            *to = *x * *y;
                        }
                    }
                }
                sums.resize(entries * neurons, T::ZERO);
                let z = MatRef::from_row_major_slice(products, entries, count);
                let to = MatMut::from_row_major_slice_mut(sums, entries, neurons);
                matmul(to, Accum::Replace, z, w, T::ONE, Par::Seq);
                for (sum, value) in panel.sums.iter_mut().zip(sums.iter()) {
                    *sum += value.to_f64();
                }
            },
        );
    }
    let mut matrices = vec![0.0; neurons * dim * dim];
    matrices
        .par_chunks_exact_mut(dim * dim)
        .enumerate()
        .for_each(|(j, matrix)| {
            for panel in &panels {
                let mut entries = panel.sums.chunks_exact(neurons);
                for a in panel.lines.clone() {
                    for (b, entry) in (a..dim).zip(&mut entries) {
                        matrix[a * dim + b] = entry[j];
                        matrix[b * dim + a] = entry[j];
                    }
                }
            }
        });
    matrices
}

/// The lines of all fan-in entries at `rows`, in parallel over channels.
fn gather<S: Real, T: Real>(site: &Site<'_, S>, rows: Range<usize>, taps: &mut [T]) {
    let channels = site.input.channels();
    let line = site.fan_in() / channels.max(1) * rows.len();
    if line == 0 {
        return;
    }
    taps.par_chunks_exact_mut(line)
        .take(channels)
        .with_min_len(8)
        .enumerate()
        .for_each(|(c, lines)| site.input.taps(rows.clone(), c..c + 1, lines));
}

fn panels(dim: usize, neurons: usize) -> Vec<Panel> {
    let mut panels = Vec::new();
    let mut start = 0;
    while start < dim {
        let (mut end, mut entries) = (start, 0);
        while end < dim && (entries == 0 || entries + dim - end <= PANEL) {
            entries += dim - end;
            end += 1;
        }
        panels.push(Panel {
            lines: start..end,
            sums: vec![0.0; entries * neurons],
        });
        start = end;
    }
    panels
}

/// Each neuron reads its own channel.
fn channel_wise<S: Real, T: Real>(site: &Site<'_, S>) -> Vec<f64> {
    let Site {
        weights,
        neurons,
        dim,
        ..
    } = *site;
    let mut matrices = vec![0.0; neurons * dim * dim];
    matrices
        .par_chunks_mut(CHANNELS * dim * dim)
        .enumerate()
        .for_each(|(group, matrices)| {
            let first = group * CHANNELS;
            let channels = first..first + matrices.len() / (dim * dim);
            for_channel_blocks(site, channels, |index, rows, taps| {
                let count = rows.len();
                let weight = |row| T::from_real(weights[row * neurons + first + index]);
                let weights: Vec<T> = rows.map(weight).collect();
                let matrix = &mut matrices[index * dim * dim..(index + 1) * dim * dim];
                for (a, left) in taps.chunks_exact(count).enumerate() {
                    let weighted: Vec<T> =
                        left.iter().zip(&weights).map(|(x, w)| *x * *w).collect();
                    for (b, right) in taps.chunks_exact(count).enumerate().skip(a) {
                        let value = dot(&weighted, right).to_f64();
                        matrix[a * dim + b] += value;
                        if a != b {
                            matrix[b * dim + a] += value;
                        }
                    }
                }
            });
        });
    matrices
}

/// Runs `work` on the taps (a constant line last, with a bias) of every block of rows of every
/// channel: `work(index in channels, rows, taps)`.
fn for_channel_blocks<S: Real, T: Real>(
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
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
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
