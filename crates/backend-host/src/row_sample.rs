//! Sizes of rows, and the rows that were drawn by them.

use burgeon_core::{CurvatureBlock, RowSample, SiteInput, Window};
use burgeon_ops::host::with_slice;
use burgeon_ops::real::Real;
use burn::tensor::{DType, Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::fan_in::FanIn;
use crate::site::{stored_type, with_site};

/// Rows that one task takes.
const CHUNK: usize = 256;

/// [`SplitBackend::row_sizes`](burgeon_core::SplitBackend::row_sizes), `[n]`, in f64.
pub(crate) fn row_sizes(block: &CurvatureBlock) -> Tensor<1> {
    let device = block.weights.device();
    let sizes = match stored_type(block) {
        DType::F64 => with_site::<f64, _>(block, |site| {
            sizes(&site.input, site.weights, site.neurons, site.bias)
        }),
        _ => with_site::<f32, _>(block, |site| {
            sizes(&site.input, site.weights, site.neurons, site.bias)
        }),
    };
    let count = sizes.len();
    Tensor::from_data(TensorData::new(sizes, [count]), (&device, DType::F64))
}

fn sizes<S: Real>(input: &FanIn<'_, S>, weights: &[S], neurons: usize, bias: bool) -> Vec<f64> {
    let constant = if bias { 1.0 } else { 0.0 };
    let mut sizes = match *input {
        FanIn::Rows { values, columns } => squares_of_lines(values, columns),
        FanIn::Maps {
            values,
            shape,
            window,
        } => squares_of_patches(values, shape, window),
    };
    let norms = squares_of_lines(weights, neurons);
    for (size, norm) in sizes.iter_mut().zip(norms) {
        *size = (*size + constant) * norm.sqrt();
    }
    sizes
}

/// Sums of squares of lines of `length`.
fn squares_of_lines<S: Real>(values: &[S], length: usize) -> Vec<f64> {
    let lines = values.par_chunks((CHUNK * length).max(1));
    let sums = lines.map(|values| Arch::new().dispatch(Squares { values, length }));
    sums.flatten_iter().collect()
}

struct Squares<'a, S> {
    values: &'a [S],
    length: usize,
}

impl<S: Real> WithSimd for Squares<'_, S> {
    type Output = Vec<f64>;

    // Compiled for the widest vectors.
    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) -> Vec<f64> {
        const LANES: usize = 16;
        let lines = self.values.chunks_exact(self.length.max(1));
        let square = |line: &[S]| {
            let mut sums = [0.0; LANES];
            let parts = line.chunks_exact(LANES);
            let rest: f64 = parts.remainder().iter().map(|v| v.to_f64().powi(2)).sum();
            for part in parts {
                for (sum, value) in sums.iter_mut().zip(part) {
                    let value = value.to_f64();
                    *sum += value * value;
                }
            }
            // By halves, so that these sums are vectors too.
            let sums: [f64; 8] = std::array::from_fn(|i| sums[i] + sums[i + 8]);
            let sums: [f64; 4] = std::array::from_fn(|i| sums[i] + sums[i + 4]);
            rest + (sums[0] + sums[2]) + (sums[1] + sums[3])
        };
        lines.map(square).collect()
    }
}

/// Sums of squares of the patches that `window` reads, one for each output position.
fn squares_of_patches<S: Real>(
    values: &[S],
    [_, channels, height, width]: [usize; 4],
    window: Window,
) -> Vec<f64> {
    let size = channels * height * width;
    let [rows, columns] = window.output_size([height, width]);
    let mut reads = Vec::with_capacity(rows * window.taps());
    for y in 0..rows {
        for ky in 0..window.kernel[0] {
            let Some(from) = read_by(&window, 0, y, ky).filter(|from| *from < height) else {
                continue;
            };
            for kx in 0..window.kernel[1] {
                let at = |x: usize| read_by(&window, 1, x, kx).filter(|at| *at < width);
                let inside = (0..columns).filter(|x| at(*x).is_some());
                let count = inside.clone().count();
                if let Some((x, at)) = inside.min().and_then(|x| Some((x, at(x)?))) {
                    reads.push((y * columns + x, from * width + at, count));
                }
            }
        }
    }
    let of_sample = |maps: &[S]| {
        Arch::new().dispatch(SquaresOfPatches {
            maps,
            plane: height * width,
            positions: rows * columns,
            reads: &reads,
            step: window.stride[1],
        })
    };
    let samples = values.par_chunks(size.max(1));
    samples.map(of_sample).flatten_iter().collect()
}

/// The line (axis 0) or column of the maps, below their ends, that a tap reads for an output's
/// line or column; `None` before their first.
fn read_by(window: &Window, axis: usize, output: usize, tap: usize) -> Option<usize> {
    let place = output * window.stride[axis] + tap * window.dilation[axis];
    place.checked_sub(window.padding[axis][0])
}

struct SquaresOfPatches<'a, S> {
    maps: &'a [S],
    plane: usize,
    positions: usize,
    /// Where a tap is read by neighbouring outputs: the first of them, where it reads, how many
    /// they are.
    reads: &'a [(usize, usize, usize)],
    /// The distance between what two of them read.
    step: usize,
}

impl<S: Real> WithSimd for SquaresOfPatches<'_, S> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) -> Vec<f64> {
        let mut squares = vec![0.0; self.plane];
        for map in self.maps.chunks_exact(self.plane.max(1)) {
            for (sum, value) in squares.iter_mut().zip(map) {
                let value = value.to_f64();
                *sum += value * value;
            }
        }
        let mut sums = vec![0.0; self.positions];
        for &(to, from, count) in self.reads {
            let to = &mut sums[to..to + count];
            if self.step == 1 {
                for (to, from) in to.iter_mut().zip(&squares[from..from + count]) {
                    *to += *from;
                }
                continue;
            }
            for (to, from) in to.iter_mut().zip(squares[from..].iter().step_by(self.step)) {
                *to += *from;
            }
        }
        sums
    }
}

/// [`CurvatureBlock::sampled`], patches read where the maps lie.
pub(crate) fn sampled(block: CurvatureBlock, sample: &RowSample) -> CurvatureBlock {
    let SiteInput::Maps(maps, window) = &block.input else {
        return block.sampled(sample);
    };
    let (maps, window) = (maps.clone(), *window);
    let input = match maps.dtype() {
        DType::F64 => patches::<f64>(maps, window, sample.rows()),
        _ => patches::<f32>(maps, window, sample.rows()),
    };
    block.of_sample(SiteInput::Rows(input), sample)
}

fn patches<S: Real>(maps: Tensor<4>, window: Window, rows: &[usize]) -> Tensor<2> {
    let (device, shape) = (maps.device(), maps.dims());
    let [_, channels, height, width] = shape;
    let [lines, columns] = window.output_size([height, width]);
    let (dim, plane) = (channels * window.taps(), height * width);
    let mut values = vec![S::ZERO; rows.len() * dim];
    with_slice(maps, |maps: &[S]| {
        let patches = values.par_chunks_exact_mut(dim.max(1)).zip(rows);
        patches.for_each_init(Vec::new, |reads, (patch, row)| {
            let (sample, place) = (row / (lines * columns), row % (lines * columns));
            let (y, x) = (place / columns, place % columns);
            // Which taps are not in the padding, and where they lie in a map.
            reads.clear();
            for ky in 0..window.kernel[0] {
                let Some(y) = read_by(&window, 0, y, ky).filter(|y| *y < height) else {
                    continue;
                };
                for kx in 0..window.kernel[1] {
                    if let Some(x) = read_by(&window, 1, x, kx).filter(|x| *x < width) {
                        reads.push((ky * window.kernel[1] + kx, y * width + x));
                    }
                }
            }
            let sample = &maps[sample * channels * plane..(sample + 1) * channels * plane];
            let taps = patch.chunks_exact_mut(window.taps());
            for (taps, map) in taps.zip(sample.chunks_exact(plane.max(1))) {
                for &(tap, place) in reads.iter() {
                    taps[tap] = map[place];
                }
            }
        });
    });
    let data = TensorData::new(values, [rows.len(), dim]);
    Tensor::from_data(data, (&device, S::dtype()))
}
