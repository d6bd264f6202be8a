//! The weight gradient with neighbouring channels in the lanes of a vector: no sum over lanes is
//! needed.

use pulp::{Arch, Simd, WithSimd};

use super::channels::Block;
use super::planes::Run;
use crate::lanes::Lanes;

/// `out[k, o] += Σ_q lines[q, o] · planes[columns[k] + p(q)]` over the positions p of the runs.
pub(super) struct ChannelReduction<'a, T> {
    /// `[positions, width]` of a block.
    pub lines: &'a [T],
    pub planes: &'a [T],
    pub columns: &'a [usize],
    pub runs: &'a [Run],
}

impl<T: Lanes> ChannelReduction<'_, T> {
    /// Adds to `out` `[columns, width]` of `block`.
    pub fn run(&self, arch: Arch, block: &Block, out: &mut [T]) {
        arch.dispatch(Reduce {
            reduction: self,
            vectors: block.vectors,
            out,
        });
    }
}

struct Reduce<'a, T> {
    reduction: &'a ChannelReduction<'a, T>,
    vectors: usize,
    out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Reduce<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            reduction,
            vectors,
            out,
        } = self;
        match (vectors, S::REGISTER_COUNT >= 32) {
            (1, _) => columns::<T, S, 9, 1>(simd, reduction, out),
            (2, true) => columns::<T, S, 9, 2>(simd, reduction, out),
            (2, false) => columns::<T, S, 6, 2>(simd, reduction, out),
            (_, true) => columns::<T, S, 8, 3>(simd, reduction, out),
            (_, false) => columns::<T, S, 4, 3>(simd, reduction, out),
        }
    }
}

#[inline(always)]
fn columns<T: Lanes, S: Simd, const K: usize, const V: usize>(
    simd: S,
    reduction: &ChannelReduction<'_, T>,
    out: &mut [T],
) {
    let mut k = 0;
    while k + K <= reduction.columns.len() {
        reduce::<T, S, K, V>(simd, reduction, k, out);
        k += K;
    }
    while k + 4 <= reduction.columns.len() {
        reduce::<T, S, 4, V>(simd, reduction, k, out);
        k += 4;
    }
    for k in k..reduction.columns.len() {
        reduce::<T, S, 1, V>(simd, reduction, k, out);
    }
}

/// `K` columns from `k` on, `V` vectors of channels.
#[inline(always)]
fn reduce<T: Lanes, S: Simd, const K: usize, const V: usize>(
    simd: S,
    reduction: &ChannelReduction<'_, T>,
    k: usize,
    out: &mut [T],
) {
    let mut sums = [[T::splat(simd, T::ZERO); V]; K];
    let mut lines = T::vectors::<S>(reduction.lines).chunks_exact(V);
    for run in reduction.runs {
        let column = |column: usize| {
            let start = reduction.columns[k + column] + run.start;
            &reduction.planes[start..start + run.length]
        };
        let columns: [&[T]; K] = std::array::from_fn(column);
        // `columns` are indexed by their constant number first.
        #[expect(clippy::needless_range_loop, reason = "constant indices")]
        for q in 0..run.length {
            let Some(line) = lines.next() else {
                return;
            };
            for column in 0..K {
                let x = T::splat(simd, columns[column][q]);
                for v in 0..V {
                    sums[column][v] = T::multiply_add(simd, x, line[v], sums[column][v]);
                }
            }
        }
    }
    let one = T::splat(simd, T::ONE);
    let out = &mut T::vectors_mut::<S>(out)[k * V..(k + K) * V];
    // Constant indices, so that the sums may stay in registers.
    for column in 0..K {
        for v in 0..V {
            let to = &mut out[column * V + v];
            *to = T::multiply_add(simd, one, sums[column][v], *to);
        }
    }
}
