//! The products of splitting on maps.

use pulp::Arch;
use rayon::prelude::*;

use super::channel_reduction::ChannelReduction;
use super::channels::blocks;
use super::filters::{Filters, Task};
use super::planes::{Geometry, Run};
use super::reduce::Reduction;
use super::{
    Channels, PARTIAL_SUMS, by_output, forward_filters, forward_offsets, group_sums, weight_columns,
};
use crate::lanes::Lanes;
use crate::real::Real;

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
    let filters = forward_filters(geometry, channels, directions);
    let offsets = forward_offsets(geometry);
    let runs = geometry.output_runs();
    let blocks = blocks::<T>(Arch::new(), 0..channels.group_outputs());
    let group_size = group_sums(blocks.as_deref(), channels, columns.len());
    let samples = geometry.samples();
    let parts: Vec<_> = input
        .chunks(samples * in_size)
        .zip(weights.chunks((samples * rows * neurons).max(1)))
        .collect();
    let partial = |first: usize| {
        let mut sums = vec![0.0; channels.groups * group_size];
        let mut constants = vec![0.0; neurons];
        let mut product = vec![T::ZERO; group_size];
        let (mut planes, mut lines, mut along) = (Vec::new(), Vec::new(), Vec::new());
        for (input, weights) in parts.iter().skip(first).step_by(PARTIAL_SUMS) {
            let count = input.len() / in_size;
            let weighting = Weighting {
                weights,
                neurons,
                constant,
            };
            for (group, filters) in filters.iter().enumerate() {
                geometry.fill_input(
                    input,
                    channels.inputs,
                    channels.inputs_of(group),
                    &mut planes,
                );
                let task = Task {
                    planes: &planes,
                    stride: geometry.input_stride(),
                    channels: channels.group_inputs(),
                    offsets: &offsets,
                    positions: geometry.positions(count),
                    runs: geometry.runs_of(&runs, count),
                };
                product.fill(T::ZERO);
                match filters {
                    Filters::ByChannel(filters) => {
                        let mut left = product.as_mut_slice();
                        for (block, directions) in filters {
                            task.by_channel()
                                .run(Arch::new(), block, directions, &mut lines);
                            let neurons = block.channels.clone();
                            let totals = &mut constants[neurons.clone()];
                            weighting.by_channel(neurons.start, block.width, &mut lines, totals);
                            let (product, rest) = left.split_at_mut(columns.len() * block.width);
                            left = rest;
                            let reduction = ChannelReduction {
                                lines: &lines,
                                planes: &planes,
                                columns: &columns,
                                runs: task.runs,
                            };
                            reduction.run(Arch::new(), block, product);
                        }
                    }
                    Filters::ByPosition(_) => {
                        let stride = geometry.output_stride();
                        let start = channels.outputs_of(group).start;
                        along.clear();
                        along.resize(channels.group_outputs() * stride, T::ZERO);
                        filters.correlate(&task, &mut lines, |answers| {
                            answers.for_each_line(|neuron, line| {
                                let to = &mut along[(neuron - start) * stride..][..stride];
                                for run in task.runs {
                                    let to = &mut to[run.start..run.start + run.length];
                                    line.copy(run, to, 1, T::ZERO);
                                }
                                constants[neuron] += weighting.by_position(neuron, task.runs, to);
                            });
                        });
                        let reduction = Reduction {
                            lines: &along,
                            stride,
                            rows: channels.group_outputs(),
                            planes: &planes,
                            columns: &columns,
                            positions: task.positions,
                        };
                        reduction.run(Arch::new(), &mut product);
                    }
                }
                let sums = &mut sums[group * group_size..(group + 1) * group_size];
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
    let sums = crate::products::sum(sums);
    (
        by_output(sums, blocks.as_deref(), channels, columns.len()),
        crate::products::sum(constants),
    )
}

/// What a task's answers are multiplied with.
struct Weighting<'a, S, T> {
    /// `[positions, neurons]`.
    weights: &'a [S],
    neurons: usize,
    /// Added before.
    constant: Option<&'a [T]>,
}

impl<S: Real, T: Lanes> Weighting<'_, S, T> {
    /// Weighs `lines` `[positions, width]` of the neurons from `first` on, and adds their sums
    /// to `totals`, one for each of them.
    fn by_channel(&self, first: usize, width: usize, lines: &mut [T], totals: &mut [f64]) {
        let last = first + totals.len();
        let mut sums = vec![T::ZERO; totals.len()];
        let mut shifts = vec![T::ZERO; totals.len()];
        if let Some(constant) = self.constant {
            shifts.copy_from_slice(&constant[first..last]);
        }
        // Compiled for the widest vectors.
        Arch::new().dispatch(|| {
            let weights = self.weights.chunks_exact(self.neurons);
            for (line, weights) in lines.chunks_exact_mut(width).zip(weights) {
                let entries = line.iter_mut().zip(&weights[first..last]).zip(&shifts);
                for (((value, weight), shift), sum) in entries.zip(&mut sums) {
                    *value = (*value + *shift) * T::from_real(*weight);
                    *sum += *value;
                }
            }
        });
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.to_f64();
        }
    }

    /// Weighs the positions of `runs` in `line`, of one neuron; their sum.
    fn by_position(&self, neuron: usize, runs: &[Run], line: &mut [T]) -> f64 {
        let shift = self.constant.map_or(T::ZERO, |constant| constant[neuron]);
        let mut total = T::ZERO;
        for run in runs {
            let weights = self.weights[run.index * self.neurons + neuron..].iter();
            let values = &mut line[run.start..run.start + run.length];
            for (value, weight) in values.iter_mut().zip(weights.step_by(self.neurons)) {
                *value = (*value + shift) * T::from_real(*weight);
                total += *value;
            }
        }
        total.to_f64()
    }
}
