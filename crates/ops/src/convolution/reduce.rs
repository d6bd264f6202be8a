//! The inner loop of the weight gradient.

use pulp::{Arch, Simd, WithSimd};

use crate::lanes::Lanes;

/// Rows of the gradient that stay in the cache.
const ROWS: usize = 64;

/// `out[i, k] += Σ_p lines[i · stride + p] · planes[columns[k] + p]` for `p < positions`.
pub(super) struct Reduction<'a, T> {
    pub lines: &'a [T],
    /// Distance between lines.
    pub stride: usize,
    pub rows: usize,
    pub planes: &'a [T],
    pub columns: &'a [usize],
    pub positions: usize,
}

impl<T: Lanes> Reduction<'_, T> {
    /// Adds to `out` `[rows, columns]`.
    pub fn run(&self, arch: Arch, out: &mut [T]) {
        arch.dispatch(Blocks {
            reduction: self,
            out,
        });
    }
}

struct Blocks<'a, T> {
    reduction: &'a Reduction<'a, T>,
    out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Blocks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { reduction, out } = self;
        let columns = reduction.columns.len();
        if reduction.rows == 1 {
            let mut k = 0;
            while k + 9 <= columns {
                block::<T, S, 1, 9>(simd, reduction, 0, k, out);
                k += 9;
            }
            for k in k..columns {
                block::<T, S, 1, 1>(simd, reduction, 0, k, out);
            }
            return;
        }
        for start in (0..reduction.rows).step_by(ROWS) {
            let end = (start + ROWS).min(reduction.rows);
            let mut k = 0;
            while k + 3 <= columns {
                rows::<T, S, 3>(simd, reduction, start..end, k, out);
                k += 3;
            }
            for k in k..columns {
                rows::<T, S, 1>(simd, reduction, start..end, k, out);
            }
        }
    }
}

#[inline(always)]
fn rows<T: Lanes, S: Simd, const M: usize>(
    simd: S,
    reduction: &Reduction<'_, T>,
    rows: std::ops::Range<usize>,
    k: usize,
    out: &mut [T],
) {
    let mut i = rows.start;
    while i + 4 <= rows.end {
        block::<T, S, 4, M>(simd, reduction, i, k, out);
        i += 4;
    }
    for i in i..rows.end {
        block::<T, S, 1, M>(simd, reduction, i, k, out);
    }
}

/// `N` rows and `M` columns of sums.
#[inline(always)]
fn block<T: Lanes, S: Simd, const N: usize, const M: usize>(
    simd: S,
    reduction: &Reduction<'_, T>,
    i: usize,
    k: usize,
    out: &mut [T],
) {
    let vectors = reduction.positions.div_ceil(T::lanes::<S>());
    let length = vectors * T::lanes::<S>();
    let line = |row: usize| {
        let start = (i + row) * reduction.stride;
        &T::vectors::<S>(&reduction.lines[start..start + length])[..vectors]
    };
    let column = |column: usize| {
        let start = reduction.columns[k + column];
        &T::vectors::<S>(&reduction.planes[start..start + length])[..vectors]
    };
    let lines: [&[T::Vector<S>]; N] = std::array::from_fn(line);
    let columns: [&[T::Vector<S>]; M] = std::array::from_fn(column);
    let mut sums = [[T::splat(simd, T::ZERO); M]; N];
    for p in 0..vectors {
        // Not through a closure, which would not be compiled for the vector unit.
        let mut x = [T::splat(simd, T::ZERO); M];
        for column in 0..M {
            x[column] = columns[column][p];
        }
        for row in 0..N {
            let value = lines[row][p];
            for column in 0..M {
                sums[row][column] = T::multiply_add(simd, value, x[column], sums[row][column]);
            }
        }
    }
    // Constant indices, so that the sums may stay in registers.
    #[expect(clippy::needless_range_loop, reason = "constant indices")]
    for row in 0..N {
        let start = (i + row) * reduction.columns.len() + k;
        for column in 0..M {
            out[start + column] += T::reduce(simd, sums[row][column]);
        }
    }
}
