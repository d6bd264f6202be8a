//! Maps laid out so that each tap of a window reads them at a fixed distance.
//!
//! A convolution's output positions are numbered with the pitch of the padded input, so that
//! position `p` reads, for each tap, the value at `p` plus the tap's shift: no patch is ever
//! gathered. With a stride the padded input is split into its phases (rows and columns by
//! their remainder), each of which is read at stride one. Several samples lie one after the
//! other in each channel's plane.

use std::ops::Range;

use crate::real::Real;
use crate::window::Window;

/// What a kernel may read or write beyond a line's end.
pub(super) const SLACK: usize = 128;

/// Positions that one task takes, at least where there are samples enough.
const POSITIONS: usize = 512;

/// Numbers that one task's planes of one input may hold, where a sample fits.
const PLANES: usize = 1 << 17;

/// Where one tap of the window reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    /// Its place in the kernel.
    pub index: usize,
    /// The phase of the padded input.
    pub phase: usize,
    /// The distance within the phase.
    pub shift: usize,
}

/// Neighbouring positions whose values are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first position.
    pub start: usize,
    /// How many positions are wanted before it.
    pub index: usize,
    /// How many they are.
    pub length: usize,
}

/// A window on maps of one size.
#[derive(Debug, Clone)]
pub struct Geometry {
    window: Window,
    /// Input `[h, w]`.
    size: [usize; 2],
    /// Output `[h', w']`.
    output: [usize; 2],
    /// Lines and columns of a sample in a phase.
    lines: usize,
    pitch: usize,
    /// Samples of one task.
    samples: usize,
    taps: Vec<Tap>,
}

impl Geometry {
    /// `window` on `batch` maps of `channels` channels and `size` = `[h, w]`.
    pub fn new(window: Window, batch: usize, channels: usize, size: [usize; 2]) -> Self {
        let output = window.output_size(size);
        let extent = |axis: usize| {
            let [before, after] = window.padding[axis];
            match window.stride[axis] {
                // Zeros after one line stand before the next as well.
                1 => (size[axis] + before.max(after)).max(output[axis]),
                stride => (size[axis] + before + after).div_ceil(stride),
            }
        };
        let (lines, pitch) = (extent(0), extent(1));
        let [sy, sx] = window.stride;
        let mut taps = Vec::with_capacity(window.taps());
        for ky in 0..window.kernel[0] {
            for kx in 0..window.kernel[1] {
                let (y, x) = (ky * window.dilation[0], kx * window.dilation[1]);
                taps.push(Tap {
                    index: taps.len(),
                    phase: y % sy * sx + x % sx,
                    shift: y / sy * pitch + x / sx,
                });
            }
        }
        let plane = (lines * pitch).max(1);
        let phases = sy * sx;
        let samples = POSITIONS
            .div_ceil(plane)
            .min((PLANES / (channels * phases * plane).max(1)).max(1))
            .min(batch.div_ceil(8))
            .max(1);
        Self {
            window,
            size,
            output,
            lines,
            pitch,
            samples,
            taps,
        }
    }

    /// Output `[h', w']`.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Samples of one task.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The numbers of one input channel.
    pub fn input_plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The numbers of one output channel.
    pub fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub(super) fn taps(&self) -> &[Tap] {
        &self.taps
    }

    pub(super) fn phases(&self) -> usize {
        self.window.stride[0] * self.window.stride[1]
    }

    /// Positions of `samples` samples.
    pub(super) fn positions(&self, samples: usize) -> usize {
        samples * self.lines * self.pitch
    }

    /// Whether each sample's inputs lie side by side, as they do for a kernel of one tap.
    fn is_compact(&self) -> bool {
        self.window.stride == [1, 1]
            && self.window.padding == [[0; 2]; 2]
            && self.pitch == self.size[1]
    }

    fn largest_shift(&self) -> usize {
        self.taps.iter().map(|tap| tap.shift).max().unwrap_or(0)
    }

    /// The numbers that one channel of input takes in [`fill_input`](Self::fill_input).
    pub(super) fn input_stride(&self) -> usize {
        self.phases() * self.phase_stride()
    }

    /// The distance between phases; an odd number of cache lines, so that channels do not
    /// compete for the same places of the cache.
    pub(super) fn phase_stride(&self) -> usize {
        odd_lines(self.positions(self.samples) + self.largest_shift() + SLACK)
    }

    /// The zeros before a channel of output in [`fill_output`](Self::fill_output).
    pub(super) fn lead(&self) -> usize {
        self.largest_shift()
    }

    /// The numbers that one channel of output takes.
    pub(super) fn output_stride(&self) -> usize {
        odd_lines(self.lead() + self.positions(self.samples) + self.largest_shift() + SLACK)
    }

    /// Makes `planes` zero wherever `samples` samples will not be written. What was laid out in
    /// them before must have been of this geometry.
    fn clear<T: Real>(&self, planes: &mut Vec<T>, length: usize, samples: usize) {
        // As many samples as there can be go where the last ones are.
        if planes.len() != length || samples != self.samples {
            planes.clear();
            planes.resize(length, T::ZERO);
        }
    }

    /// Lays out `channels` of samples `values` (each `[all channels, h, w]`) in `planes`, which
    /// hold nothing or another layout of as many channels.
    pub(super) fn fill_input<S: Real, T: Real>(
        &self,
        values: &[S],
        all: usize,
        channels: Range<usize>,
        planes: &mut Vec<T>,
    ) {
        let stride = self.input_stride();
        let sample_size = (all * self.input_plane()).max(1);
        self.clear(planes, channels.len() * stride, values.len() / sample_size);
        // Of the first sample: where each line is read and where it goes.
        let mut lines = Vec::new();
        if self.is_compact() {
            lines.push((0, 0, self.input_plane()));
        } else {
            for phase in 0..self.phases() {
                let first = phase * self.phase_stride();
                self.for_phase_lines(0, phase, |start, [y, x]| {
                    let from = y * self.size[1];
                    lines.push((first + start, from + x, from + self.size[1]));
                });
            }
        }
        let step = self.window.stride[1];
        for (channel, plane) in channels.zip(planes.chunks_exact_mut(stride)) {
            for (sample, values) in values.chunks_exact(sample_size).enumerate() {
                let values = &values[channel * self.input_plane()..][..self.input_plane()];
                let plane = &mut plane[sample * self.lines * self.pitch..];
                for &(to, from, end) in &lines {
                    let (from, to) = (&values[from..end], &mut plane[to..]);
                    if step == 1 {
                        convert(from, to);
                        continue;
                    }
                    for (to, from) in to.iter_mut().zip(from.iter().step_by(step)) {
                        *to = T::from_real(*from);
                    }
                }
            }
        }
    }

    /// The positions of `phase` that the inputs of each sample take.
    pub(super) fn input_runs(&self, phase: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut index = 0;
        for sample in 0..self.samples {
            if self.is_compact() {
                let length = self.input_plane();
                runs.push(Run {
                    start: sample * self.lines * self.pitch,
                    index: sample * length,
                    length,
                });
                continue;
            }
            self.for_phase_lines(sample, phase, |start, [_, x]| {
                let length = (self.size[1] - x).div_ceil(self.window.stride[1]);
                runs.push(Run {
                    start,
                    index,
                    length,
                });
                index += length;
            });
        }
        runs
    }

    /// The inverse of [`fill_input`](Self::fill_input) for one phase of one channel, whose
    /// positions are those of `runs`: `copy(run, values, stride)` fills every `stride`-th of the
    /// values. `values` are the maps of each sample (`[all channels, h, w]`).
    pub(super) fn read_input<T: Real>(
        &self,
        runs: &[Run],
        phase: usize,
        all: usize,
        channel: usize,
        values: &mut [T],
        mut copy: impl FnMut(&Run, &mut [T], usize),
    ) {
        let mut runs = runs.iter();
        let samples = values.chunks_exact_mut((all * self.input_plane()).max(1));
        for (sample, values) in samples.enumerate() {
            let values = &mut values[channel * self.input_plane()..][..self.input_plane()];
            if self.is_compact() {
                if let Some(run) = runs.next() {
                    copy(run, values, 1);
                }
                continue;
            }
            self.for_phase_lines(sample, phase, |_, [y, x]| {
                let line = &mut values[y * self.size[1]..(y + 1) * self.size[1]];
                if let Some(run) = runs.next() {
                    copy(run, &mut line[x..], self.window.stride[1]);
                }
            });
        }
    }

    /// Runs `work(where its first value lies in the phase, [y, first x])` for every input line
    /// of `phase`.
    #[inline(always)]
    fn for_phase_lines(
        &self,
        sample: usize,
        phase: usize,
        mut work: impl FnMut(usize, [usize; 2]),
    ) {
        let [sy, sx] = self.window.stride;
        let (py, px) = (phase / sx, phase % sx);
        let [[top, _], [left, _]] = self.window.padding;
        // The first input line and column whose padded place has this remainder.
        let first = |remainder: usize, before: usize, stride: usize| {
            (remainder + stride - before % stride) % stride
        };
        let x = first(px, left, sx);
        if x >= self.size[1] {
            return;
        }
        let mut y = first(py, top, sy);
        let mut start = (sample * self.lines + (y + top) / sy) * self.pitch + (x + left) / sx;
        while y < self.size[0] {
            work(start, [y, x]);
            y += sy;
            start += self.pitch;
        }
    }

    /// The positions that the outputs of each sample take, in their order.
    pub(super) fn output_runs(&self) -> Vec<Run> {
        // Lines that lie side by side are one.
        let (lines, length) = match self.pitch == self.output[1] {
            true => (1, self.output_plane()),
            false => (self.output[0], self.output[1]),
        };
        let lines = (0..self.samples).flat_map(|s| (0..lines).map(move |y| (s, y)));
        let run = |(index, (sample, y))| Run {
            start: (sample * self.lines + y) * self.pitch,
            index: index * length,
            length,
        };
        lines.enumerate().map(run).collect()
    }

    /// Those of the first `samples`.
    pub(super) fn runs_of<'r>(&self, runs: &'r [Run], samples: usize) -> &'r [Run] {
        &runs[..runs.len() / self.samples * samples]
    }

    /// Lays out `channels` of output maps (each sample `[all channels, h', w']`) in `planes`,
    /// zeros between.
    pub(super) fn fill_output<T: Real>(
        &self,
        values: &[T],
        all: usize,
        channels: Range<usize>,
        planes: &mut Vec<T>,
    ) {
        let stride = self.output_stride();
        let count = values.len() / (all * self.output_plane()).max(1);
        self.clear(planes, channels.len() * stride, count);
        let runs = self.output_runs();
        let runs = self.runs_of(&runs, count);
        let places = self.output_places(runs, all);
        for (channel, plane) in channels.zip(planes.chunks_exact_mut(stride)) {
            let values = &values[(channel * self.output_plane()).min(values.len())..];
            let plane = &mut plane[self.lead()..];
            for (run, place) in runs.iter().zip(&places) {
                let from = &values[*place..*place + run.length];
                copy(from, &mut plane[run.start..run.start + run.length]);
            }
        }
    }

    /// Where each run lies in the first of `all` channels of output maps, sample after sample.
    pub(super) fn output_places(&self, runs: &[Run], all: usize) -> Vec<usize> {
        let plane = self.output_plane();
        let place = |run: &Run| run.index / plane * all * plane + run.index % plane;
        runs.iter().map(place).collect()
    }
}

fn convert<S: Real, T: Real>(from: &[S], to: &mut [T]) {
    match T::same(from) {
        Some(from) => copy(from, &mut to[..from.len()]),
        None => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = T::from_real(*from);
            }
        }
    }
}

/// Copies a line. Lines are short, and a call for each would take longer than the copy.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    match from.len() {
        8..=16 => copy_ends::<T, 8>(from, to),
        17..=32 => copy_ends::<T, 16>(from, to),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first `N` and the last `N`, which cover up to twice as many.
#[inline(always)]
fn copy_ends<T: Copy, const N: usize>(from: &[T], to: &mut [T]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        *to = *from;
    }
}

fn odd_lines(length: usize) -> usize {
    const LINE: usize = 16;
    (length.div_ceil(LINE) | 1) * LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_samples_leave_nothing_of_those_before() {
        let window = Window {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [[1, 1], [1, 1]],
            dilation: [1, 1],
        };
        let (channels, size) = (2, [4, 5]);
        let geometry = Geometry::new(window, 64, channels, size);
        assert!(geometry.samples() > 1);
        let sample = channels * size[0] * size[1];
        let full = vec![1.0_f32; geometry.samples() * sample];
        let one = &full[..sample];
        let [mut again, mut fresh] = [Vec::<f32>::new(), Vec::new()];
        geometry.fill_input(&full, channels, 0..channels, &mut again);
        geometry.fill_input(one, channels, 0..channels, &mut again);
        geometry.fill_input(one, channels, 0..channels, &mut fresh);
        assert_eq!(again, fresh);
        let [mut again, mut fresh] = [Vec::<f32>::new(), Vec::new()];
        geometry.fill_output(&full, channels, 0..channels, &mut again);
        geometry.fill_output(one, channels, 0..channels, &mut again);
        geometry.fill_output(one, channels, 0..channels, &mut fresh);
        assert_eq!(again, fresh);
    }
}
