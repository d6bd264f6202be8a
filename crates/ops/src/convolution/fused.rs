//! A convolution whose answers, changed, are the gradient of its filters, task by task: the maps
//! of a task are laid out once for both, and no answers of a whole batch are kept.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::channel_reduction::ChannelReduction;
use super::channels::blocks;
use super::filters::{Filters, Task};
use super::forward::{forward_filters, forward_offsets};
use super::planes::{Geometry, Run};
use super::reduce::Reduction;
use super::shape::Channels;
use super::weight_gradient::{PARTIAL_SUMS, by_output, group_sums, weight_columns};
use crate::elementwise::sum;
use crate::lanes::Lanes;
use crate::real::Real;

/// What happens to a convolution's answers before they are taken for a gradient.
pub trait AnswerChange<T>: Sync {
    /// Changes `lines` `[positions, width]`, the answers of `channels` (what lies beyond them in a
    /// line is not read) to the samples from `sample` on, and adds each channel's sum to `totals`.
    fn by_channel(
        &self,
        sample: usize,
        channels: Range<usize>,
        width: usize,
        lines: &mut [T],
        totals: &mut [f64],
    );

    /// Changes the answers of one channel to the samples from `sample` on: those positions of
    /// `line` that `runs` name. Their sum.
    fn by_position(&self, sample: usize, channel: usize, runs: &[Run], line: &mut [T]) -> f64;
}

/// Gradients of a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterSums {
    /// Of the filters, `[outputs, inputs / groups · taps]`.
    pub filters: Vec<f64>,
    /// Of a bias, `[outputs]`.
    pub bias: Vec<f64>,
}

/// The gradients that filters `[outputs, inputs / groups, taps]` and a bias get from maps `input`
/// `[b, inputs, h, w]` where the gradient at the answers is the answers as `change` leaves them.
pub fn filter_gradient_of_answers<S: Real, T: Lanes>(
    geometry: &Geometry,
    channels: Channels,
    input: &[S],
    filters: &[T],
    change: &impl AnswerChange<T>,
) -> FilterSums {
    let in_size = (channels.inputs * geometry.input_plane()).max(1);
    let columns = weight_columns(geometry, channels);
    let filters = forward_filters(geometry, channels, filters);
    let offsets = forward_offsets(geometry);
    let runs = geometry.output_runs();
    let blocks = blocks::<T>(Arch::new(), 0..channels.group_outputs());
    let group_size = group_sums(blocks.as_deref(), channels, columns.len());
    let samples = geometry.samples();
    let parts: Vec<_> = input.chunks(samples * in_size).enumerate().collect();
    let partial = |first: usize| {
        let mut sums = vec![0.0; channels.groups * group_size];
        let mut totals = vec![0.0; channels.outputs];
        let mut product = vec![T::ZERO; group_size];
        let (mut planes, mut lines, mut along) = (Vec::new(), Vec::new(), Vec::new());
        for (part, input) in parts.iter().skip(first).step_by(PARTIAL_SUMS) {
            let count = input.len() / in_size;
            let sample = part * samples;
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
                        for (block, filters) in filters {
                            task.by_channel()
                                .run(Arch::new(), block, filters, &mut lines);
                            let channels = block.channels.clone();
                            let totals = &mut totals[channels.clone()];
                            change.by_channel(sample, channels, block.width, &mut lines, totals);
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
                            answers.for_each_line(|output, line| {
                                let to = &mut along[(output - start) * stride..][..stride];
                                for run in task.runs {
                                    let to = &mut to[run.start..run.start + run.length];
                                    line.copy(run, to, 1, T::ZERO);
                                }
                                totals[output] += change.by_position(sample, output, task.runs, to);
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
        (sums, totals)
    };
    let partials: Vec<(Vec<f64>, Vec<f64>)> = (0..PARTIAL_SUMS.min(parts.len().max(1)))
        .into_par_iter()
        .map(partial)
        .collect();
    let (sums, totals): (Vec<_>, Vec<_>) = partials.into_iter().unzip();
    FilterSums {
        filters: by_output(sum(sums), blocks.as_deref(), channels, columns.len()),
        bias: sum(totals),
    }
}
