//! The forward pass.

use pulp::Arch;
use rayon::prelude::*;

use super::channels::Block;
use super::filters::{Answers, Filters, Task};
use super::planes::{Geometry, Tap};
use super::shape::Channels;
use crate::lanes::Lanes;
use crate::real::Real;
use crate::transpose::Transposition;

/// The filters of each group for the forward pass.
pub(super) fn forward_filters<T: Lanes>(
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
pub(super) fn forward_offsets(geometry: &Geometry) -> Vec<usize> {
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
pub(super) fn scatter<T: Lanes>(
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
