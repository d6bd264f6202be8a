//! Weights in the order in which the inner loops read them, and the loops' answers.

use std::ops::Range;

use pulp::Arch;

use super::channels::{Block, ChannelCorrelation, blocks};
use super::correlate::{Correlation, ROWS, line_length};
use super::planes::{Run, Tap};
use crate::lanes::Lanes;

/// Maps of a task as [`planes`](super::planes) lays them out, and what is read of them.
pub(super) struct Task<'a, T> {
    pub planes: &'a [T],
    /// Distance between channels.
    pub stride: usize,
    pub channels: usize,
    /// Where each tap reads, relative to a channel's planes.
    pub offsets: &'a [usize],
    /// All positions, up to the last that is wanted.
    pub positions: usize,
    /// The positions that are wanted.
    pub runs: &'a [Run],
}

/// What filters answer to a task.
pub(super) enum Answers<'a, T> {
    /// One output's, at all positions.
    Line(usize, Line<'a, T>),
    /// Those of a block, `[wanted positions, width]`.
    Block(&'a Block, &'a [T]),
}

/// One output's answers.
#[derive(Clone, Copy)]
pub(super) struct Line<'a, T> {
    values: &'a [T],
    /// Distance between wanted positions; `None` where all positions lie side by side.
    step: Option<usize>,
}

impl<T: Lanes> Line<'_, T> {
    /// Writes the answers of `run`, plus `constant`, to every `stride`-th value of `to`.
    #[inline(always)]
    pub fn copy(&self, run: &Run, to: &mut [T], stride: usize, constant: T) {
        let (start, step) = self.place(run);
        // Iterators that step by a number known only here would take several times as long.
        let (mut from, mut at) = (start, 0);
        for _ in 0..run.length {
            to[at] = self.values[from] + constant;
            from += step;
            at += stride;
        }
    }

    /// Adds the answers of `run` to `to`.
    #[inline(always)]
    pub fn add(&self, run: &Run, to: &mut [T]) {
        let (start, step) = self.place(run);
        for (i, to) in to.iter_mut().enumerate() {
            *to += self.values[start + i * step];
        }
    }

    /// Where the answers of `run` start, and how far they are apart.
    #[inline(always)]
    fn place(&self, run: &Run) -> (usize, usize) {
        match self.step {
            None => (run.start, 1),
            Some(step) => (run.index * step, step),
        }
    }
}

impl<'a, T: Lanes> Answers<'a, T> {
    /// Each output's answers by themselves.
    pub fn for_each_line(self, mut work: impl FnMut(usize, Line<'a, T>)) {
        match self {
            Self::Line(output, line) => work(output, line),
            Self::Block(block, values) => {
                for (lane, output) in block.channels.clone().enumerate() {
                    let line = Line {
                        values: values.get(lane..).unwrap_or_default(),
                        step: Some(block.width),
                    };
                    work(output, line);
                }
            }
        }
    }
}

/// The filters of one group.
pub(super) enum Filters<T> {
    /// For [`Correlation`]: for each block of at most [`ROWS`] outputs `[inputs, taps, outputs]`.
    ByPosition(Vec<(Range<usize>, Vec<T>)>),
    /// For [`ChannelCorrelation`]: for each block `[inputs, taps, width]`.
    ByChannel(Vec<(Block, Vec<T>)>),
}

impl<T: Lanes> Filters<T> {
    /// `weight(output, input, tap)`.
    pub fn new(
        outputs: Range<usize>,
        inputs: usize,
        taps: &[Tap],
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let packed = |channels: Range<usize>, width: usize| {
            let mut weights = Vec::with_capacity(inputs * taps.len() * width);
            for input in 0..inputs {
                for tap in taps {
                    weights.extend(channels.clone().map(|o| weight(o, input, tap.index)));
                    weights.resize(weights.len() + width - channels.len(), T::ZERO);
                }
            }
            weights
        };
        if let Some(blocks) = blocks::<T>(Arch::new(), outputs.clone()) {
            let pack = |block: Block| {
                let weights = packed(block.channels.clone(), block.width);
                (block, weights)
            };
            return Self::ByChannel(blocks.into_iter().map(pack).collect());
        }
        let pack = |start: usize| {
            let rows = start..(start + ROWS).min(outputs.end);
            let weights = packed(rows.clone(), rows.len());
            (rows, weights)
        };
        Self::ByPosition(outputs.clone().step_by(ROWS).map(pack).collect())
    }

    /// Correlates the planes of `task` with the filters and gives the answers to `work`.
    pub fn correlate(
        &self,
        task: &Task<'_, T>,
        lines: &mut Vec<T>,
        mut work: impl FnMut(Answers<'_, T>),
    ) {
        let arch = Arch::new();
        match self {
            Self::ByPosition(blocks) => {
                let length = line_length(task.positions);
                lines.resize(ROWS * length, T::ZERO);
                for (rows, weights) in blocks {
                    let correlation = Correlation {
                        planes: task.planes,
                        stride: task.stride,
                        channels: task.channels,
                        offsets: task.offsets,
                        positions: task.positions,
                    };
                    correlation.run(arch, rows.len(), weights, lines);
                    for (output, values) in rows.clone().zip(lines.chunks_exact(length)) {
                        work(Answers::Line(output, Line { values, step: None }));
                    }
                }
            }
            Self::ByChannel(blocks) => {
                for (block, weights) in blocks {
                    task.by_channel().run(arch, block, weights, lines);
                    work(Answers::Block(block, lines));
                }
            }
        }
    }
}

impl<T: Lanes> Task<'_, T> {
    pub fn by_channel(&self) -> ChannelCorrelation<'_, T> {
        ChannelCorrelation {
            planes: self.planes,
            stride: self.stride,
            channels: self.channels,
            offsets: self.offsets,
            runs: self.runs,
        }
    }
}
