//! Convolution on slices: forward pass, input gradient, weight gradient.
//!
//! Maps are laid out once per task ([`planes`]); from there on a convolution is a sum of
//! shifted lines, formed in registers for the vector width found at run time: with channels in
//! the lanes of a vector where there are enough of them ([`channels`], [`channel_reduction`]), else
//! with positions ([`correlate`], [`reduce`]). Tasks are groups of samples, cut without regard to
//! the number of threads.

mod channel_reduction;
mod channels;
mod correlate;
mod curvature;
mod filters;
mod planes;
mod reduce;

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

pub(crate) use curvature::curvature_products;
pub(crate) use planes::Geometry;

use crate::lanes::Lanes;
use crate::real::Real;
use crate::transpose::Transposition;
use channel_reduction::ChannelReduction;
use channels::{Block, blocks};
use filters::{Answers, Filters, Task};
use planes::{Run, Tap};
use reduce::Reduction;

/// Partial sums of a weight gradient: as many tasks may run at once.
const PARTIAL_SUMS: usize = 8;

/// Channels of a convolution; weights are `[outputs, inputs / groups, taps]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels {
    pub inputs: usize,
    pub outputs: usize,
    pub groups: usize,
}

impl Channels {
    fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }

    fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    fn inputs_of(&self, group: usize) -> Range<usize> {
        group * self.group_inputs()..(group + 1) * self.group_inputs()
    }

    fn outputs_of(&self, group: usize) -> Range<usize> {
        group * self.group_outputs()..(group + 1) * self.group_outputs()
    }
}

/// The filters of each group for the forward pass.
fn forward_filters<T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    weight: &[T],
) -> Vec<Filters<T>> {
    let (inputs, taps) = (channels.group_inputs(), geometry.taps());
    let filters = |group| {
        let outputs = channels.outputs_of(group);
        Filters::new(outputs, inputs, taps, |output, input, tap| {
            weight[(output * inputs + input) * taps.len() + tap]
        })
    };
    (0..channels.groups).map(filters).collect()
}

/// Where each tap reads, relative to a channel's planes.
fn forward_offsets(geometry: &Geometry) -> Vec<usize> {
    let place = |tap: &Tap| tap.phase * geometry.phase_stride() + tap.shift;
    geometry.taps().iter().map(place).collect()
}

/// What a convolution's answers are added to.
pub(crate) enum Addend<'a, T> {
    Zero,
    /// One number for each output.
    Bias(&'a [T]),
    /// Maps of the answers' shape.
    Maps(Vec<T>),
}

/// `[b, outputs, h', w']` of maps `[b, inputs, h, w]` and weights, plus `addend`.
pub(crate) fn forward<S: Real, T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    input: &[S],
    weight: &[T],
    addend: Addend<'_, T>,
) -> Vec<T> {
    let (inputs, outputs) = (channels.inputs, channels.outputs);
    let in_size = inputs * geometry.input_plane();
    let out_size = outputs * geometry.output_plane();
    let batch = input.len() / in_size.max(1);
    let (bias, maps) = match addend {
        Addend::Zero => (None, None),
        Addend::Bias(bias) => (Some(bias), None),
        Addend::Maps(maps) => (None, Some(maps)),
    };
    let adds = maps.is_some();
    let mut output = maps.unwrap_or_else(|| vec![T::ZERO; batch * out_size]);
    let filters = forward_filters(geometry, channels, weight);
    let offsets = forward_offsets(geometry);
    let runs = geometry.output_runs();
    let places = geometry.output_places(&runs, outputs);
    let (samples, plane) = (geometry.samples(), geometry.output_plane());
    output
        .par_chunks_mut((samples * out_size).max(1))
        .zip(input.par_chunks((samples * in_size).max(1)))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(planes, lines), (output, input)| {
                let count = input.len() / in_size;
                let runs = geometry.runs_of(&runs, count);
                for (group, filters) in filters.iter().enumerate() {
                    geometry.fill_input(input, inputs, channels.inputs_of(group), planes);
                    let task = Task {
                        planes,
                        stride: geometry.input_stride(),
                        channels: channels.group_inputs(),
                        offsets: &offsets,
                        positions: geometry.positions(count),
                        runs,
                    };
                    filters.correlate(&task, lines, |answers| match answers {
                        Answers::Line(row, line) => {
                            for (run, place) in runs.iter().zip(&places) {
                                let start = row * plane + place;
                                let to = &mut output[start..start + run.length];
                                match adds {
                                    true => line.add(run, to),
                                    false => {
                                        line.copy(run, to, 1, bias.map_or(T::ZERO, |b| b[row]))
                                    }
                                }
                            }
                        }
                        Answers::Block(block, lines) => {
                            scatter(block, lines, output, [plane, out_size], bias, adds);
                        }
                    });
                }
            },
        );
    output
}

/// Writes the answers `[samples, plane, width]` of a block, plus `bias`, to its channels of the
/// maps of each sample, of so many numbers each, or adds them to what stands there.
fn scatter<T: Lanes>(
    block: &Block,
    answers: &[T],
    maps: &mut [T],
    [plane, sample]: [usize; 2],
    bias: Option<&[T]>,
    adds: bool,
) {
    let channels = block.channels.clone();
    let none = vec![T::ZERO; channels.len()];
    let constants = bias.map_or(none.as_slice(), |bias| &bias[channels.clone()]);
    let answers = answers.chunks_exact((plane * block.width).max(1));
    for (answers, maps) in answers.zip(maps.chunks_exact_mut(sample.max(1))) {
        Transposition {
            lines: plane,
            from: answers,
            from_stride: block.width,
            to: &mut maps[channels.start * plane..],
            to_stride: plane,
            constants,
            adds,
        }
        .run(Arch::new());
    }
}

/// `∂L/∂input`, `[b, inputs, h, w]`, of the gradient `[b, outputs, h', w']`.
pub(crate) fn input_gradient<T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    gradient: &[T],
    weight: &[T],
    batch: usize,
) -> Vec<T> {
    let (inputs, outputs) = (channels.inputs, channels.outputs);
    let in_size = inputs * geometry.input_plane();
    let out_size = outputs * geometry.output_plane();
    let mut result = vec![T::ZERO; batch * in_size];
    let (group_inputs, taps) = (channels.group_inputs(), geometry.taps());
    // Of each phase: what its inputs are read by, where, and where they lie.
    let phases: Vec<(Vec<Tap>, Vec<usize>, Vec<Run>)> = (0..geometry.phases())
        .map(|phase| {
            let taps = taps.iter().copied().filter(|tap| tap.phase == phase);
            let taps: Vec<Tap> = taps.collect();
            let place = |tap: &Tap| geometry.lead() - tap.shift;
            let offsets = taps.iter().map(place).collect();
            (taps, offsets, geometry.input_runs(phase))
        })
        .collect();
    let filters = |group: usize| {
        let filters = |(taps, ..): &(Vec<Tap>, _, _)| {
            let (inputs, outputs) = (channels.inputs_of(group), channels.outputs_of(group));
            Filters::new(inputs.clone(), outputs.len(), taps, |input, output, tap| {
                let row = (outputs.start + output) * group_inputs + input - inputs.start;
                weight[row * geometry.taps().len() + tap]
            })
        };
        phases.iter().map(filters).collect()
    };
    let filters: Vec<Vec<Filters<T>>> = (0..channels.groups).map(filters).collect();
    let samples = geometry.samples();
    result
        .par_chunks_mut((samples * in_size).max(1))
        .zip(gradient.par_chunks((samples * out_size).max(1)))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(planes, lines), (result, gradient)| {
                let count = result.len() / in_size.max(1);
                for (group, filters) in filters.iter().enumerate() {
                    geometry.fill_output(gradient, outputs, channels.outputs_of(group), planes);
                    let parts = filters.iter().zip(&phases).enumerate();
                    for (phase, (filters, (_, offsets, runs))) in parts {
                        if offsets.is_empty() {
                            continue;
                        }
                        let runs = geometry.runs_of(runs, count);
                        let task = Task {
                            planes,
                            stride: geometry.output_stride(),
                            channels: channels.group_outputs(),
                            offsets,
                            positions: geometry.positions(count),
                            runs,
                        };
                        filters.correlate(&task, lines, |answers| {
                            if let (1, &Answers::Block(block, lines)) = (phases.len(), &answers) {
                                let sizes = [geometry.input_plane(), in_size];
                                return scatter(block, lines, result, sizes, None, false);
                            }
                            answers.for_each_line(|row, line| {
                                geometry.read_input(
                                    runs,
                                    phase,
                                    inputs,
                                    row,
                                    result,
                                    |run, to, stride| {
                                        line.copy(run, to, stride, T::ZERO);
                                    },
                                );
                            });
                        });
                    }
                }
            },
        );
    result
}

/// `∂L/∂weight`, `[outputs, inputs / groups, taps]`.
pub(crate) fn weight_gradient<T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    input: &[T],
    gradient: &[T],
) -> Vec<T> {
    let in_size = (channels.inputs * geometry.input_plane()).max(1);
    let out_size = (channels.outputs * geometry.output_plane()).max(1);
    let (samples, columns) = (geometry.samples(), weight_columns(geometry, channels));
    let (runs, plane) = (geometry.output_runs(), geometry.output_plane());
    let blocks = blocks::<T>(Arch::new(), 0..channels.group_outputs());
    let group_size = group_sums(blocks.as_deref(), channels, columns.len());
    let none = vec![T::ZERO; plane];
    let parts: Vec<_> = input
        .chunks(samples * in_size)
        .zip(gradient.chunks(samples * out_size))
        .collect();
    let partial = |first: usize| {
        let mut sums = vec![T::ZERO; channels.groups * group_size];
        let (mut planes, mut lines) = (Vec::new(), Vec::new());
        for (input, gradient) in parts.iter().skip(first).step_by(PARTIAL_SUMS) {
            let count = input.len() / in_size;
            for (group, sums) in sums.chunks_exact_mut(group_size.max(1)).enumerate() {
                let outputs = channels.outputs_of(group);
                geometry.fill_input(
                    input,
                    channels.inputs,
                    channels.inputs_of(group),
                    &mut planes,
                );
                let Some(blocks) = &blocks else {
                    geometry.fill_output(gradient, channels.outputs, outputs, &mut lines);
                    let reduction = Reduction {
                        lines: &lines[geometry.lead()..],
                        stride: geometry.output_stride(),
                        rows: channels.group_outputs(),
                        planes: &planes,
                        columns: &columns,
                        positions: geometry.positions(count),
                    };
                    reduction.run(Arch::new(), sums);
                    continue;
                };
                let mut left = sums;
                for block in blocks {
                    lines.clear();
                    lines.resize(count * plane * block.width, T::ZERO);
                    let start = (outputs.start + block.channels.start) * plane;
                    let lines_of = lines.chunks_exact_mut((plane * block.width).max(1));
                    for (lines, gradient) in lines_of.zip(gradient.chunks_exact(out_size)) {
                        Transposition {
                            lines: block.channels.len(),
                            from: &gradient[start..],
                            from_stride: plane,
                            to: lines,
                            to_stride: block.width,
                            constants: &none,
                            adds: false,
                        }
                        .run(Arch::new());
                    }
                    let (sums, rest) = left.split_at_mut(columns.len() * block.width);
                    left = rest;
                    let reduction = ChannelReduction {
                        lines: &lines,
                        planes: &planes,
                        columns: &columns,
                        runs: geometry.runs_of(&runs, count),
                    };
                    reduction.run(Arch::new(), block, sums);
                }
            }
        }
        sums
    };
    let partials: Vec<Vec<T>> = (0..PARTIAL_SUMS.min(parts.len().max(1)))
        .into_par_iter()
        .map(partial)
        .collect();
    by_output(
        crate::products::sum(partials),
        blocks.as_deref(),
        channels,
        columns.len(),
    )
}

/// Numbers that the sums of one group take.
fn group_sums(blocks: Option<&[Block]>, channels: Channels, columns: usize) -> usize {
    let outputs = match blocks {
        Some(blocks) => blocks.iter().map(|block| block.width).sum(),
        None => channels.group_outputs(),
    };
    outputs * columns
}

/// Sums `[columns, width]` of each block of each group as `[outputs, columns]`; those without
/// blocks are that already.
fn by_output<T: Real>(
    sums: Vec<T>,
    blocks: Option<&[Block]>,
    channels: Channels,
    columns: usize,
) -> Vec<T> {
    let Some(blocks) = blocks else {
        return sums;
    };
    let mut result = vec![T::ZERO; channels.outputs * columns];
    let mut left = sums.as_slice();
    for group in 0..channels.groups {
        for block in blocks {
            let (part, rest) = left.split_at(columns * block.width);
            left = rest;
            for (lane, channel) in block.channels.clone().enumerate() {
                let start = (channels.outputs_of(group).start + channel) * columns;
                let to = &mut result[start..start + columns];
                for (to, from) in to.iter_mut().zip(part[lane..].iter().step_by(block.width)) {
                    *to = *from;
                }
            }
        }
    }
    result
}

/// Where each weight of an output reads: `[inputs / groups, taps]`.
fn weight_columns(geometry: &Geometry, channels: Channels) -> Vec<usize> {
    let offsets = forward_offsets(geometry);
    let places = |input: usize| {
        let start = input * geometry.input_stride();
        offsets.iter().map(move |offset| start + offset)
    };
    (0..channels.group_inputs()).flat_map(places).collect()
}
