//! `X Vᵀ`, neighbouring neurons in the lanes of a vector. Rows are read where they lie: packing
//! them, as general matrix products do, does not pay for the few columns that a site has.

use burgeon_ops::lanes::{Lanes, lanes_of};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Vectors of neurons that are worked on together.
const TOGETHER: usize = 2;

/// Rows that stay in the cache while all directions pass by.
const ROWS: usize = 64;

/// Directions `V` in the order in which the inner loops read them.
pub(crate) struct PackedDirections<T> {
    arch: Arch,
    dim: usize,
    blocks: Vec<Block<T>>,
    width: usize,
}

/// Neurons that are worked on together.
struct Block<T> {
    vectors: usize,
    /// `[dim, lanes of the vectors]`, zero beyond the last neuron.
    directions: Vec<T>,
}

impl<T: Lanes> PackedDirections<T> {
    /// The first `dim` entries of each line of `directions` `[neurons, …]`.
    pub fn new(arch: Arch, directions: &[T], neurons: usize, dim: usize) -> Self {
        let lanes = lanes_of::<T>(arch);
        let length = directions.len() / neurons.max(1);
        let vectors = neurons.div_ceil(lanes);
        let starts: Vec<usize> = (0..vectors).step_by(TOGETHER).collect();
        let pack = |start: &usize| {
            let vectors = (vectors - start).min(TOGETHER);
            let width = vectors * lanes;
            let lines: Vec<&[T]> = directions[start * lanes * length..]
                .chunks_exact(length)
                .take(width)
                .collect();
            let mut packed = vec![T::ZERO; dim * width];
            for (k, entries) in packed.chunks_exact_mut(width).enumerate() {
                for (entry, line) in entries.iter_mut().zip(&lines) {
                    *entry = line[k];
                }
            }
            Block {
                vectors,
                directions: packed,
            }
        };
        let blocks = starts.par_iter().map(pack).collect();
        let width = vectors * lanes;
        Self {
            arch,
            dim,
            blocks,
            width,
        }
    }

    /// Columns of what [`project`](Self::project) writes: the neurons, and what fills the last
    /// vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes the products of each line of `x` `[n, dim]` to `out` `[n, width]`.
    pub fn project(&self, x: &[T], out: &mut [T]) {
        self.arch.dispatch(Project {
            directions: self,
            x,
            out,
        });
    }
}

struct Project<'a, T> {
    directions: &'a PackedDirections<T>,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Project<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let PackedDirections { dim, width, .. } = *self.directions;
        let parts = self.x.chunks((ROWS * dim).max(1));
        for (x, out) in parts.zip(self.out.chunks_mut((ROWS * width).max(1))) {
            let out = T::vectors_mut::<S>(out);
            let mut column = 0;
            for Block {
                vectors,
                directions,
            } in &self.directions.blocks
            {
                let columns = Columns {
                    x,
                    dim,
                    directions,
                    column,
                    width: width / T::lanes::<S>(),
                };
                // As many sums as registers hold beside what is multiplied.
                match (vectors, S::REGISTER_COUNT >= 32) {
                    (1, true) => columns.project::<S, 16, 1>(simd, out),
                    (1, false) => columns.project::<S, 8, 1>(simd, out),
                    (_, true) => columns.project::<S, 8, TOGETHER>(simd, out),
                    (_, false) => columns.project::<S, 4, TOGETHER>(simd, out),
                }
                column += vectors;
            }
        }
    }
}

/// One block's columns of the product.
struct Columns<'a, T> {
    x: &'a [T],
    dim: usize,
    directions: &'a [T],
    /// The first, in vectors.
    column: usize,
    /// Vectors of a line of the product.
    width: usize,
}

impl<T: Lanes> Columns<'_, T> {
    /// `V` vectors, `R` rows at once.
    #[inline(always)]
    fn project<S: Simd, const R: usize, const V: usize>(&self, simd: S, out: &mut [T::Vector<S>]) {
        let rows = self.x.len() / self.dim.max(1);
        let mut row = 0;
        while row + R <= rows {
            self.tile::<S, R, V>(simd, row, out);
            row += R;
        }
        while row < rows {
            self.tile::<S, 1, V>(simd, row, out);
            row += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        out: &mut [T::Vector<S>],
    ) {
        let dim = self.dim;
        let directions = &T::vectors::<S>(self.directions)[..dim * V];
        let x: [&[T]; R] = std::array::from_fn(|i| &self.x[(row + i) * dim..(row + i + 1) * dim]);
        let mut sums = [[T::splat(simd, T::ZERO); V]; R];
        // Not through closures, which would not be compiled for the vector unit; constant
        // indices, so that the sums may stay in registers.
        for k in 0..dim {
            let entries = &directions[k * V..(k + 1) * V];
            for i in 0..R {
                let value = T::splat(simd, x[i][k]);
                for v in 0..V {
                    sums[i][v] = T::multiply_add(simd, value, entries[v], sums[i][v]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let start = (row + i) * self.width + self.column;
            out[start..start + V].copy_from_slice(sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgeon_ops::lanes::vector_units;

    #[test]
    fn products_are_those_of_plain_loops_on_every_vector_unit() {
        let wave = |count: usize, pace: f64| -> Vec<f64> {
            (0..count).map(|i| (i as f64 * pace).sin()).collect()
        };
        // Some of them behind the first that stay in the cache together.
        let (rows, dim) = (ROWS + 21, 37);
        let x = wave(rows * dim, 0.37);
        for arch in vector_units() {
            for neurons in [1, 8, 16, 21, 40, 83] {
                // Lines that are longer by a bias.
                let directions = wave(neurons * (dim + 1), 0.11);
                let packed = PackedDirections::new(arch, &directions, neurons, dim);
                let width = packed.width();
                let mut out = vec![f64::NAN; rows * width];
                packed.project(&x, &mut out);
                for (x, out) in x.chunks_exact(dim).zip(out.chunks_exact(width)) {
                    for (j, value) in out.iter().enumerate() {
                        let line = directions.chunks_exact(dim + 1).nth(j);
                        let sum: f64 =
                            line.map_or(0.0, |line| line.iter().zip(x).map(|(a, b)| a * b).sum());
                        assert!((value - sum).abs() < 1e-12, "{arch:?} {j} of {neurons}");
                    }
                }
            }
        }
    }
}
