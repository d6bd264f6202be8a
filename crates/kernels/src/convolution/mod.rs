//! Convolution on slices: forward pass, input gradient, weight gradient.
//!
//! Maps are laid out once per task ([`planes`]); from there on a convolution is a sum of
//! shifted lines, formed in registers ([`correlate`], [`reduce`]) for the vector width found
//! at run time. Tasks are groups of samples, cut without regard to the number of threads.

mod correlate;
mod planes;
mod reduce;

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

pub(crate) use planes::Geometry;

use crate::lanes::Lanes;
use crate::real::Real;
use correlate::{Correlation, ROWS, line_length};
use planes::Tap;
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

/// Weights in the order in which [`Correlation`] reads them: for each block of at most
/// [`ROWS`] outputs of a group, `[inputs, taps, outputs]`.
struct Packed<T> {
    weights: Vec<T>,
    /// Outputs of a block, and where its weights start.
    blocks: Vec<(Range<usize>, usize)>,
}

impl<T: Lanes> Packed<T> {
    /// `weight(output, input, tap)` of one group.
    fn new(
        outputs: Range<usize>,
        inputs: usize,
        taps: &[Tap],
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let mut weights = Vec::with_capacity(outputs.len() * inputs * taps.len());
        let mut blocks = Vec::new();
        for start in outputs.clone().step_by(ROWS) {
            let block = start..(start + ROWS).min(outputs.end);
            blocks.push((block.clone(), weights.len()));
            for input in 0..inputs {
                for tap in taps {
                    weights.extend(block.clone().map(|output| weight(output, input, tap.index)));
                }
            }
        }
        Self { weights, blocks }
    }

    fn for_blocks(&self, mut work: impl FnMut(Range<usize>, &[T])) {
        for (index, (rows, start)) in self.blocks.iter().enumerate() {
            let end = self
                .blocks
                .get(index + 1)
                .map_or(self.weights.len(), |b| b.1);
            work(rows.clone(), &self.weights[*start..end]);
        }
    }
}

/// The weights of each group for the forward pass.
fn pack_forward<T: Lanes>(geometry: &Geometry, channels: Channels, weight: &[T]) -> Vec<Packed<T>> {
    let (inputs, taps) = (channels.group_inputs(), geometry.taps());
    let pack = |group| {
        Packed::new(
            channels.outputs_of(group),
            inputs,
            taps,
            |output, input, tap| weight[(output * inputs + input) * taps.len() + tap],
        )
    };
    (0..channels.groups).map(pack).collect()
}

/// Where each tap reads, relative to a channel's planes.
fn forward_offsets(geometry: &Geometry) -> Vec<usize> {
    let place = |tap: &Tap| tap.phase * geometry.phase_stride() + tap.shift;
    geometry.taps().iter().map(place).collect()
}

/// Correlates a group's planes with its filters: `work(outputs, lines)` for each block of
/// them, `lines` one line of positions for each.
fn correlate<T: Lanes>(
    correlation: &Correlation<'_, T>,
    packed: &Packed<T>,
    lines: &mut Vec<T>,
    mut work: impl FnMut(Range<usize>, &mut [T]),
) {
    let arch = Arch::new();
    lines.resize(ROWS * line_length(correlation.positions), T::ZERO);
    packed.for_blocks(|rows, weights| {
        correlation.run(arch, rows.len(), weights, lines);
        work(rows, lines);
    });
}

/// `[b, outputs, h', w']` of maps `[b, inputs, h, w]`, weights and a bias for each output.
pub(crate) fn forward<S: Real, T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    input: &[S],
    weight: &[T],
    bias: Option<&[T]>,
) -> Vec<T> {
    let (inputs, outputs) = (channels.inputs, channels.outputs);
    let in_size = inputs * geometry.input_plane();
    let out_size = outputs * geometry.output_plane();
    let batch = input.len() / in_size.max(1);
    let mut output = vec![T::ZERO; batch * out_size];
    let packed = pack_forward(geometry, channels, weight);
    let offsets = forward_offsets(geometry);
    let width = geometry.output()[1];
    let samples = geometry.samples();
    output
        .par_chunks_mut((samples * out_size).max(1))
        .zip(input.par_chunks((samples * in_size).max(1)))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(planes, lines), (output, input)| {
                let count = input.len() / in_size;
                for (group, packed) in packed.iter().enumerate() {
                    geometry.fill_input(input, inputs, channels.inputs_of(group), planes);
                    let correlation = Correlation {
                        planes,
                        stride: geometry.input_stride(),
                        channels: channels.group_inputs(),
                        offsets: &offsets,
                        positions: geometry.positions(count),
                    };
                    let length = line_length(correlation.positions);
                    correlate(&correlation, packed, lines, |rows, lines| {
                        for (row, line) in rows.zip(lines.chunks_exact(length)) {
                            let bias = bias.map(|bias| bias[row]);
                            geometry.for_output_lines(count, |sample, position, first| {
                                let from = &line[position..position + width];
                                let start =
                                    sample * out_size + row * geometry.output_plane() + first;
                                let to = &mut output[start..start + width];
                                match bias {
                                    None => to.copy_from_slice(from),
                                    Some(bias) => {
                                        for (to, from) in to.iter_mut().zip(from) {
                                            *to = *from + bias;
                                        }
                                    }
                                }
                            });
                        }
                    });
                }
            },
        );
    output
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
    let phases: Vec<Vec<Tap>> = (0..geometry.phases())
        .map(|phase| {
            taps.iter()
                .copied()
                .filter(|tap| tap.phase == phase)
                .collect()
        })
        .collect();
    let pack = |group: usize| {
        let pack = |taps: &Vec<Tap>| {
            let (inputs, outputs) = (channels.inputs_of(group), channels.outputs_of(group));
            Packed::new(inputs.clone(), outputs.len(), taps, |input, output, tap| {
                let row = (outputs.start + output) * group_inputs + input - inputs.start;
                weight[row * geometry.taps().len() + tap]
            })
        };
        phases.iter().map(pack).collect()
    };
    let packed: Vec<Vec<Packed<T>>> = (0..channels.groups).map(pack).collect();
    let place = |tap: &Tap| geometry.lead() - tap.shift;
    let offsets: Vec<Vec<usize>> = phases
        .iter()
        .map(|taps| taps.iter().map(place).collect())
        .collect();
    let samples = geometry.samples();
    result
        .par_chunks_mut((samples * in_size).max(1))
        .zip(gradient.par_chunks((samples * out_size).max(1)))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(planes, lines), (result, gradient)| {
                let count = result.len() / in_size.max(1);
                for (group, packed) in packed.iter().enumerate() {
                    geometry.fill_output(gradient, outputs, channels.outputs_of(group), planes);
                    for (phase, (packed, offsets)) in packed.iter().zip(&offsets).enumerate() {
                        if offsets.is_empty() {
                            continue;
                        }
                        let correlation = Correlation {
                            planes,
                            stride: geometry.output_stride(),
                            channels: channels.group_outputs(),
                            offsets,
                            positions: geometry.positions(count),
                        };
                        let length = line_length(correlation.positions);
                        correlate(&correlation, packed, lines, |rows, lines| {
                            for (row, line) in rows.zip(lines.chunks_exact(length)) {
                                geometry.read_input(line, phase, inputs, row, result);
                            }
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
    let size = channels.outputs * columns.len();
    let parts: Vec<_> = input
        .chunks(samples * in_size)
        .zip(gradient.chunks(samples * out_size))
        .collect();
    let partial = |first: usize| {
        let mut sums = vec![T::ZERO; size];
        let (mut planes, mut lines) = (Vec::new(), Vec::new());
        for (input, gradient) in parts.iter().skip(first).step_by(PARTIAL_SUMS) {
            let positions = geometry.positions(input.len() / in_size);
            for group in 0..channels.groups {
                let outputs = channels.outputs_of(group);
                geometry.fill_input(
                    input,
                    channels.inputs,
                    channels.inputs_of(group),
                    &mut planes,
                );
                geometry.fill_output(gradient, channels.outputs, outputs.clone(), &mut lines);
                let reduction = Reduction {
                    lines: &lines[geometry.lead()..],
                    stride: geometry.output_stride(),
                    rows: outputs.len(),
                    planes: &planes,
                    columns: &columns,
                    positions,
                };
                let rows = outputs.start * columns.len()..outputs.end * columns.len();
                reduction.run(Arch::new(), &mut sums[rows]);
            }
        }
        sums
    };
    let partials: Vec<Vec<T>> = (0..PARTIAL_SUMS.min(parts.len().max(1)))
        .into_par_iter()
        .map(partial)
        .collect();
    crate::products::sum(partials)
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

/// `(W ∘ (X Vᵀ))ᵀ X` for maps: the convolution with `directions` `[M, inputs / groups, taps]`
/// (and `constant`, one for each neuron, where they have a bias), weighted, and its weight
/// gradient; `[M, inputs / groups · taps]`, with the sums of the constants' lines `[M]`.
pub(crate) fn curvature_products<S: Real, T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    input: &[S],
    weights: &[S],
    directions: &[T],
    constant: Option<&[T]>,
) -> (Vec<f64>, Vec<f64>) {
    let in_size = (channels.inputs * geometry.input_plane()).max(1);
    let neurons = channels.outputs;
    let rows = geometry.output_plane();
    let columns = weight_columns(geometry, channels);
    let packed = pack_forward(geometry, channels, directions);
    let offsets = forward_offsets(geometry);
    let width = geometry.output()[1];
    let samples = geometry.samples();
    let parts: Vec<_> = input
        .chunks(samples * in_size)
        .zip(weights.chunks((samples * rows * neurons).max(1)))
        .collect();
    let partial = |first: usize| {
        let mut sums = vec![0.0; neurons * columns.len()];
        let mut constants = vec![0.0; neurons];
        let (mut planes, mut lines, mut along, mut product) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (input, weights) in parts.iter().skip(first).step_by(PARTIAL_SUMS) {
            let count = input.len() / in_size;
            let positions = geometry.positions(count);
            let length = line_length(positions);
            for (group, packed) in packed.iter().enumerate() {
                geometry.fill_input(
                    input,
                    channels.inputs,
                    channels.inputs_of(group),
                    &mut planes,
                );
                let outputs = channels.outputs_of(group);
                along.clear();
                along.resize(outputs.len() * length, T::ZERO);
                let correlation = Correlation {
                    planes: &planes,
                    stride: geometry.input_stride(),
                    channels: channels.group_inputs(),
                    offsets: &offsets,
                    positions,
                };
                correlate(&correlation, packed, &mut lines, |block, lines| {
                    for (neuron, line) in block.zip(lines.chunks_exact(length)) {
                        let to = &mut along[(neuron - outputs.start) * length..][..length];
                        let shift = constant.map_or(T::ZERO, |constant| constant[neuron]);
                        let mut total = T::ZERO;
                        geometry.for_output_lines(count, |sample, position, first| {
                            let weights = &weights[(sample * rows + first) * neurons + neuron..];
                            let weights = weights.iter().step_by(neurons);
                            let from = &line[position..position + width];
                            let to = &mut to[position..position + width];
                            for ((to, from), weight) in to.iter_mut().zip(from).zip(weights) {
                                *to = (*from + shift) * T::from_real(*weight);
                                total += *to;
                            }
                        });
                        constants[neuron] += total.to_f64();
                    }
                });
                product.clear();
                product.resize(outputs.len() * columns.len(), T::ZERO);
                let reduction = Reduction {
                    lines: &along,
                    stride: length,
                    rows: outputs.len(),
                    planes: &planes,
                    columns: &columns,
                    positions,
                };
                reduction.run(Arch::new(), &mut product);
                let sums = &mut sums[outputs.start * columns.len()..];
                for (sum, value) in sums.iter_mut().zip(&product) {
                    *sum += value.to_f64();
                }
            }
        }
        (sums, constants)
    };
    let partials: Vec<(Vec<f64>, Vec<f64>)> = (0..PARTIAL_SUMS.min(parts.len().max(1)))
        .into_par_iter()
        .map(partial)
        .collect();
    let (sums, constants): (Vec<_>, Vec<_>) = partials.into_iter().unzip();
    (crate::products::sum(sums), crate::products::sum(constants))
}
