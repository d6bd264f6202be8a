//! The inner loop of the forward pass and of the input gradient.

use pulp::{Arch, Simd, WithSimd};

use super::planes::SLACK;
use crate::lanes::Lanes;

/// Output lines that are summed at once.
pub(super) const ROWS: usize = 6;

/// Vectors of positions that are summed at once.
const VECTORS: usize = 2;

/// `out_i[p] = Σ_c Σ_t weights[c, t, i] · planes[c · stride + offsets[t] + p]` for positions
/// `p < positions` and as many lines `i` as `weights` has.
pub(super) struct Correlation<'a, T> {
    pub planes: &'a [T],
    /// Distance between channels.
    pub stride: usize,
    pub channels: usize,
    pub offsets: &'a [usize],
    pub positions: usize,
}

/// The length of a line of output.
pub(super) fn line_length(positions: usize) -> usize {
    positions + SLACK
}

impl<T: Lanes> Correlation<'_, T> {
    /// Writes `rows ≤` [`ROWS`] lines of [`line_length`] to `out`.
    pub fn run(&self, arch: Arch, rows: usize, weights: &[T], out: &mut [T]) {
        let length = line_length(self.positions);
        macro_rules! rows {
            ($($n:literal)*) => {
                match rows {
                    $($n => arch.dispatch(Tiles::<T, $n> { correlation: self, weights, out, length }),)*
                    _ => {}
                }
            };
        }
        rows!(1 2 3 4 5 6);
    }
}

struct Tiles<'a, T, const N: usize> {
    correlation: &'a Correlation<'a, T>,
    weights: &'a [T],
    out: &'a mut [T],
    length: usize,
}

impl<T: Lanes, const N: usize> WithSimd for Tiles<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            correlation,
            weights,
            out,
            length,
        } = self;
        let lanes = T::lanes::<S>();
        let mut p = 0;
        if N == 1 {
            // One line alone has few sums: more positions keep the units busy.
            while p + 6 * lanes <= correlation.positions {
                tile::<T, S, N, 6>(simd, correlation, weights, p, length, out);
                p += 6 * lanes;
            }
        }
        while p + VECTORS * lanes <= correlation.positions {
            tile::<T, S, N, VECTORS>(simd, correlation, weights, p, length, out);
            p += VECTORS * lanes;
        }
        while p < correlation.positions {
            tile::<T, S, N, 1>(simd, correlation, weights, p, length, out);
            p += lanes;
        }
    }
}

/// `N` lines at the `V` vectors of positions from `p` on.
#[inline(always)]
fn tile<T: Lanes, S: Simd, const N: usize, const V: usize>(
    simd: S,
    correlation: &Correlation<'_, T>,
    weights: &[T],
    p: usize,
    length: usize,
    out: &mut [T],
) {
    let width = V * T::lanes::<S>();
    let mut sums = [[T::splat(simd, T::ZERO); V]; N];
    let mut weights = weights.chunks_exact(N);
    for channel in 0..correlation.channels {
        let plane = &correlation.planes[channel * correlation.stride + p..];
        for &offset in correlation.offsets {
            let values = T::vectors::<S>(&plane[offset..offset + width]);
            // Not through a closure, which would not be compiled for the vector unit.
            let mut x = [T::splat(simd, T::ZERO); V];
            x.copy_from_slice(&values[..V]);
            let Some(weights) = weights.next() else {
                return;
            };
            for i in 0..N {
                let weight = T::splat(simd, weights[i]);
                for v in 0..V {
                    sums[i][v] = T::multiply_add(simd, x[v], weight, sums[i][v]);
                }
            }
        }
    }
    // Constant indices, so that the sums may stay in registers.
    for i in 0..N {
        let line = &mut out[i * length + p..i * length + p + width];
        T::vectors_mut::<S>(line).copy_from_slice(&sums[i]);
    }
}
