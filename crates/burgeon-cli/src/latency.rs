//! Timing single layers on a device.

use std::time::Instant;

use burgeon::burn::tensor::{DType, Tensor};
use burgeon::core::cost::{Latency, LayerTiming};
use burgeon::core::{LayerKind, LayerShape, SplitBackend, Window};
use burgeon::ops::conv2d;

use crate::error::CliError;

/// Runs of each layer; their median counts.
const RUNS: usize = 7;

/// Numbers that a layer to be timed may have in its maps and weights: 4 GB.
const MOST: usize = 1 << 30;

/// Times every layer of `layers` on `backend`, one sample in f32, at each of `factors` times its
/// input and output widths.
///
/// # Errors
/// [`CliError::Settings`] for a layer whose maps or kernel are not square, or that does not fit
/// into memory.
pub fn measure(
    layers: &[LayerShape],
    backend: &dyn SplitBackend,
    factors: &[f64],
) -> Result<Latency, CliError> {
    let mut timings = Vec::new();
    for layer in layers {
        let widths = |width: usize| -> Vec<usize> {
            let mut widths: Vec<usize> = factors
                .iter()
                .map(|factor| ((width as f64 * factor).round() as usize).max(1))
                .collect();
            widths.dedup();
            widths
        };
        for outputs in widths(layer.outputs) {
            let inputs = match layer.kind {
                LayerKind::Mixing => widths(layer.inputs),
                LayerKind::ChannelWise => vec![outputs],
            };
            for inputs in inputs {
                let layer = LayerShape {
                    inputs,
                    outputs,
                    ..layer.clone()
                };
                let nanoseconds = time(&layer, backend)?;
                timings.push(LayerTiming { layer, nanoseconds });
            }
        }
    }
    Ok(Latency::new(backend.name(), timings)?)
}

fn time(layer: &LayerShape, backend: &dyn SplitBackend) -> Result<u64, CliError> {
    let options = (&backend.device(), DType::F32);
    let side = |positions: usize| {
        let side = positions.isqrt();
        (side * side == positions).then_some(side)
    };
    let sides = [
        layer.input_positions,
        layer.output_positions,
        layer.taps.max(1),
    ]
    .map(side);
    let [Some(input), Some(output), Some(kernel)] = sides else {
        return Err(CliError::Settings(format!(
            "`{}` cannot be timed: its maps and kernel must be square",
            layer.name
        )));
    };
    let (group_inputs, groups) = match layer.kind {
        LayerKind::Mixing => (layer.inputs, 1),
        LayerKind::ChannelWise => (1, layer.inputs),
    };
    let window = Window {
        kernel: [kernel; 2],
        stride: [input.div_ceil(output.max(1)); 2],
        padding: [[kernel / 2; 2]; 2],
        dilation: [1; 2],
    };
    let sizes = [
        [layer.inputs, layer.input_positions, 1],
        [layer.outputs, layer.output_positions, 1],
        [layer.outputs, group_inputs, layer.taps],
    ];
    let fits = |size: &[usize; 3]| {
        let product = size.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        product.is_some_and(|numbers| numbers <= MOST)
    };
    if !sizes.iter().all(fits) {
        return Err(CliError::Settings(format!(
            "`{}` cannot be timed: its maps or weights have more than {MOST} numbers",
            layer.name
        )));
    }
    let maps = Tensor::<4>::ones([1, layer.inputs, input, input], options);
    let weight = Tensor::<4>::ones([layer.outputs, group_inputs, kernel, kernel], options);
    let mut times = [0; RUNS];
    for time in &mut times {
        let started = Instant::now();
        let result = conv2d(maps.clone(), weight.clone(), None, window, groups);
        // Reading a number waits for the device.
        result.slice([0..1, 0..1, 0..1, 0..1]).into_data();
        *time = started.elapsed().as_nanos() as u64;
    }
    times.sort_unstable();
    Ok(times[RUNS / 2])
}
