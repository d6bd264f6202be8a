//! Correlation with neighbouring channels in the lanes of a vector, for layers that have channels
//! enough: no position between lines is computed.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::planes::Run;
use crate::lanes::{Lanes, lanes_of};

/// Share of the lanes that channels must fill at least.
const FILLED: f64 = 0.6;

/// Outputs that are computed together, as many as some vectors hold.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The channels; what lies beyond the last one is zero.
    pub channels: Range<usize>,
    /// Lanes of all its vectors.
    pub width: usize,
    pub vectors: usize,
}

/// Blocks of `channels`, where they fill the vectors of `arch` well.
pub(super) fn blocks<T: Lanes>(arch: Arch, channels: Range<usize>) -> Option<Vec<Block>> {
    let lanes = lanes_of::<T>(arch);
    let mut left = channels.len().div_ceil(lanes);
    if (channels.len() as f64) < FILLED * (left * lanes) as f64 || lanes == 1 {
        return None;
    }
    let mut blocks = Vec::new();
    let mut start = channels.start;
    while left > 0 {
        let vectors = match left {
            1 | 3 => left,
            _ => 2,
        };
        let end = (start + vectors * lanes).min(channels.end);
        blocks.push(Block {
            channels: start..end,
            width: vectors * lanes,
            vectors,
        });
        start = end;
        left -= vectors;
    }
    Some(blocks)
}

/// `out[q, o] = Σ_c Σ_t weights[c, t, o] · planes[c · stride + offsets[t] + p(q)]` for the
/// positions p of the runs, q counting them, and the channels o of a block.
pub(super) struct ChannelCorrelation<'a, T> {
    pub planes: &'a [T],
    /// Distance between input channels.
    pub stride: usize,
    pub channels: usize,
    pub offsets: &'a [usize],
    pub runs: &'a [Run],
}

impl<T: Lanes> ChannelCorrelation<'_, T> {
    /// Writes the answers of `block` `[positions, width]` to `out`.
    pub fn run(&self, arch: Arch, block: &Block, weights: &[T], out: &mut Vec<T>) {
        let count = self.runs.last().map_or(0, |run| run.index + run.length);
        out.resize(count * block.width, T::ZERO);
        arch.dispatch(Correlate {
            correlation: self,
            vectors: block.vectors,
            weights,
            out,
        });
    }
}

struct Correlate<'a, T> {
    correlation: &'a ChannelCorrelation<'a, T>,
    vectors: usize,
    weights: &'a [T],
    out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            correlation,
            vectors,
            weights,
            out,
        } = self;
        // As many sums as registers hold beside what is multiplied.
        match (vectors, S::REGISTER_COUNT >= 32) {
            (1, true) => in_order::<T, S, 16, 1>(simd, correlation, weights, out),
            (1, false) => in_order::<T, S, 8, 1>(simd, correlation, weights, out),
            (2, true) => in_order::<T, S, 8, 2>(simd, correlation, weights, out),
            (2, false) => tiles::<T, S, 6, 2, ANY>(simd, correlation, weights, out),
            (_, true) => tiles::<T, S, 8, 3, ANY>(simd, correlation, weights, out),
            (_, false) => tiles::<T, S, 4, 3, ANY>(simd, correlation, weights, out),
        }
    }
}

/// Positions of each of two short runs that are summed together.
const HALF: usize = 8;

/// Taps of a kernel's line that are worked on together.
const WIDE: usize = 3;

/// Taps in any order.
const ANY: u8 = 0;

/// Taps in lines of [`WIDE`], each reading one place behind the last.
const FORTH: u8 = 1;

/// Taps in lines of [`WIDE`], each reading one place before the last.
const BACK: u8 = 2;

/// How taps are ordered that read at `offsets`.
fn order(offsets: &[usize]) -> u8 {
    let lines = offsets.chunks_exact(WIDE);
    if !lines.remainder().is_empty() {
        return ANY;
    }
    let all = |follows: fn(usize, usize) -> bool| {
        let mut lines = lines.clone();
        lines.all(|line| line.windows(2).all(|pair| follows(pair[0], pair[1])))
    };
    if all(|tap, next| next == tap + 1) {
        FORTH
    } else if all(|tap, next| next + 1 == tap) {
        BACK
    } else {
        ANY
    }
}

/// [`tiles`] for the order of the taps: a constant, because both ways in one function would not
/// leave the sums in registers.
#[inline(always)]
fn in_order<T: Lanes, S: Simd, const P: usize, const V: usize>(
    simd: S,
    correlation: &ChannelCorrelation<'_, T>,
    weights: &[T],
    out: &mut [T],
) {
    match order(correlation.offsets) {
        FORTH => tiles::<T, S, P, V, FORTH>(simd, correlation, weights, out),
        BACK => tiles::<T, S, P, V, BACK>(simd, correlation, weights, out),
        _ => tiles::<T, S, P, V, ANY>(simd, correlation, weights, out),
    }
}

#[inline(always)]
fn tiles<T: Lanes, S: Simd, const P: usize, const V: usize, const ORDER: u8>(
    simd: S,
    correlation: &ChannelCorrelation<'_, T>,
    weights: &[T],
    out: &mut [T],
) {
    let mut runs = correlation.runs;
    while let [run, rest @ ..] = runs {
        runs = rest;
        let mut q = 0;
        // Alone a short run would have too few sums to keep the units busy.
        if P > HALF
            && (HALF..P).contains(&run.length)
            && let [next, rest @ ..] = rest
            && next.length == run.length
        {
            runs = rest;
            while q + HALF <= run.length {
                let places = [run, next].map(|run| (run.start + q, run.index + q));
                correlate::<T, S, HALF, V, 2, ORDER>(simd, correlation, weights, places, out);
                q += HALF;
            }
            remainder::<T, S, V, ORDER>(simd, correlation, weights, next, q, out);
        }
        while q + P <= run.length {
            if P == 2 * HALF {
                let places = [q, q + HALF].map(|q| (run.start + q, run.index + q));
                correlate::<T, S, HALF, V, 2, ORDER>(simd, correlation, weights, places, out);
            } else {
                let places = [(run.start + q, run.index + q)];
                correlate::<T, S, P, V, 1, ORDER>(simd, correlation, weights, places, out);
            }
            q += P;
        }
        remainder::<T, S, V, ORDER>(simd, correlation, weights, run, q, out);
    }
}

/// The positions of a run from the `q`-th on.
#[inline(always)]
fn remainder<T: Lanes, S: Simd, const V: usize, const ORDER: u8>(
    simd: S,
    correlation: &ChannelCorrelation<'_, T>,
    weights: &[T],
    run: &Run,
    mut q: usize,
    out: &mut [T],
) {
    while q + 4 <= run.length {
        let places = [(run.start + q, run.index + q)];
        correlate::<T, S, 4, V, 1, ORDER>(simd, correlation, weights, places, out);
        q += 4;
    }
    while q < run.length {
        let places = [(run.start + q, run.index + q)];
        correlate::<T, S, 1, V, 1, ANY>(simd, correlation, weights, places, out);
        q += 1;
    }
}

/// `P` positions from each of `R` places on, of which the first number is where they are read and
/// the second where they are written; `V` vectors of channels.
#[inline(always)]
fn correlate<T: Lanes, S: Simd, const P: usize, const V: usize, const R: usize, const ORDER: u8>(
    simd: S,
    correlation: &ChannelCorrelation<'_, T>,
    weights: &[T],
    places: [(usize, usize); R],
    out: &mut [T],
) {
    let mut sums = [[[T::splat(simd, T::ZERO); V]; P]; R];
    let mut weights = T::vectors::<S>(weights).chunks_exact(V);
    for channel in 0..correlation.channels {
        let plane = &correlation.planes[channel * correlation.stride..];
        if ORDER != ANY {
            for offsets in correlation.offsets.chunks_exact(WIDE) {
                let mut line = [[T::splat(simd, T::ZERO); V]; WIDE];
                for (tap, weights) in line.iter_mut().zip(&mut weights) {
                    tap.copy_from_slice(weights);
                }
                let first = if ORDER == FORTH { 0 } else { WIDE - 1 };
                for r in 0..R {
                    let start = places[r].0 + offsets[first];
                    let x = &plane[start..start + P + WIDE - 1];
                    // Each value is read once for all taps of its line, in an order in which
                    // each sum meets its taps in theirs.
                    for step in 0..P + WIDE - 1 {
                        let i = if ORDER == FORTH {
                            step
                        } else {
                            P + WIDE - 2 - step
                        };
                        let x = T::splat(simd, x[i]);
                        #[expect(clippy::needless_range_loop, reason = "constant indices")]
                        for tap in 0..WIDE {
                            let ahead = if ORDER == FORTH { tap } else { WIDE - 1 - tap };
                            if i >= ahead && i - ahead < P {
                                for v in 0..V {
                                    let sum = &mut sums[r][i - ahead][v];
                                    *sum = T::multiply_add(simd, x, line[tap][v], *sum);
                                }
                            }
                        }
                    }
                }
            }
            continue;
        }
        for &offset in correlation.offsets {
            let Some(weights) = weights.next() else {
                return;
            };
            // Not through a closure, which would not be compiled for the vector unit; constant
            // indices, so that the sums may stay in registers.
            for r in 0..R {
                let start = places[r].0 + offset;
                let x = &plane[start..start + P];
                for i in 0..P {
                    let x = T::splat(simd, x[i]);
                    for v in 0..V {
                        sums[r][i][v] = T::multiply_add(simd, x, weights[v], sums[r][i][v]);
                    }
                }
            }
        }
    }
    let out = T::vectors_mut::<S>(out);
    for r in 0..R {
        let out = &mut out[places[r].1 * V..(places[r].1 + P) * V];
        for i in 0..P {
            out[i * V..(i + 1) * V].copy_from_slice(&sums[r][i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel_reduction::ChannelReduction;
    use super::*;
    use crate::lanes::vector_units;

    fn wave(count: usize, pace: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * pace).sin()).collect()
    }

    #[test]
    fn sums_are_those_of_plain_loops_on_every_vector_unit() {
        for (offsets, expected) in [
            (&[0, 5, 11][..], ANY),
            (&[0, 1, 2, 3], ANY),
            (&[0, 1, 2, 5, 4, 3], ANY),
            (&[9, 10, 11, 0, 1, 2], FORTH),
            (&[11, 10, 9, 2, 1, 0], BACK),
        ] {
            assert_eq!(order(offsets), expected);
            sums_are_those_of_plain_loops(offsets);
        }
    }

    fn sums_are_those_of_plain_loops(offsets: &[usize]) {
        let (inputs, stride) = (3, 80);
        let planes = wave(inputs * stride, 0.37);
        let lengths = [1, 4, 21, 17];
        let mut runs = Vec::new();
        let (mut start, mut index) = (1, 0);
        for length in lengths {
            runs.push(Run {
                start,
                index,
                length,
            });
            start += length + 2;
            index += length;
        }
        let positions: Vec<usize> = runs
            .iter()
            .flat_map(|run| run.start..run.start + run.length)
            .collect();
        for arch in vector_units() {
            for channels in [16, 24, 32, 45, 61] {
                let Some(blocks) = blocks::<f32>(arch, 0..channels) else {
                    assert_eq!(lanes_of::<f32>(arch), 1);
                    continue;
                };
                assert_eq!(
                    blocks.last().map(|block| block.channels.end),
                    Some(channels)
                );
                for block in &blocks {
                    let weights = wave(inputs * offsets.len() * block.width, 0.11);
                    let correlation = ChannelCorrelation {
                        planes: &planes,
                        stride,
                        channels: inputs,
                        offsets,
                        runs: &runs,
                    };
                    let mut found = Vec::new();
                    correlation.run(arch, block, &weights, &mut found);
                    let columns: Vec<usize> = (0..inputs)
                        .flat_map(|c| offsets.iter().map(move |offset| c * stride + offset))
                        .collect();
                    let mut reduced = vec![1.0; columns.len() * block.width];
                    let reduction = ChannelReduction {
                        lines: &found,
                        planes: &planes,
                        columns: &columns,
                        runs: &runs,
                    };
                    reduction.run(arch, block, &mut reduced);
                    for lane in 0..block.width {
                        for (q, p) in positions.iter().enumerate() {
                            let terms = columns.iter().enumerate();
                            let sum: f32 = terms
                                .map(|(k, column)| {
                                    weights[k * block.width + lane] * planes[column + p]
                                })
                                .sum();
                            let answer = found[q * block.width + lane];
                            assert!(
                                (answer - sum).abs() < 1e-4,
                                "{arch:?} {block:?}: {answer} {sum}"
                            );
                        }
                        for (k, column) in columns.iter().enumerate() {
                            let terms = positions.iter().enumerate();
                            let sum: f32 = terms
                                .map(|(q, p)| found[q * block.width + lane] * planes[column + p])
                                .sum();
                            let answer = reduced[k * block.width + lane] - 1.0;
                            assert!(
                                (answer - sum).abs() < 1e-4,
                                "{arch:?} {block:?}: {answer} {sum}"
                            );
                        }
                    }
                }
            }
        }
    }
}
