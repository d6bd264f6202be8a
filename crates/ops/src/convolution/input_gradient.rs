//! The gradient of the input.

use rayon::prelude::*;

use super::filters::{Answers, Filters, Task};
use super::forward::scatter;
use super::planes::{Geometry, Run, Tap};
use super::shape::Channels;
use crate::lanes::Lanes;

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
