//! The gradient of the filters.

use pulp::Arch;
use rayon::prelude::*;

use super::channel_reduction::ChannelReduction;
use super::channels::{Block, blocks};
use super::forward::forward_offsets;
use super::planes::Geometry;
use super::reduce::Reduction;
use super::shape::Channels;
use crate::elementwise::sum;
use crate::lanes::Lanes;
use crate::real::Real;
use crate::transpose::Transposition;

/// Partial sums of a weight gradient: as many tasks may run at once.
pub(super) const PARTIAL_SUMS: usize = 8;

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
    by_output(sum(partials), blocks.as_deref(), channels, columns.len())
}

/// Numbers that the sums of one group take.
pub(super) fn group_sums(blocks: Option<&[Block]>, channels: Channels, columns: usize) -> usize {
    let outputs = match blocks {
        Some(blocks) => blocks.iter().map(|block| block.width).sum(),
        None => channels.group_outputs(),
    };
    outputs * columns
}

/// Sums `[columns, width]` of each block of each group as `[outputs, columns]`; those without
/// blocks are that already.
pub(super) fn by_output<T: Real>(
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
pub(super) fn weight_columns(geometry: &Geometry, channels: Channels) -> Vec<usize> {
    let offsets = forward_offsets(geometry);
    let places = |input: usize| {
        let start = input * geometry.input_stride();
        offsets.iter().map(move |offset| start + offset)
    };
    (0..channels.group_inputs()).flat_map(places).collect()
}
