//! Timing single layers on a device.

use burgeon::core::cost::{Latency, LayerTiming};
use burgeon::core::{LayerKind, LayerShape, SplitBackend};
use burgeon_predictor::latency::time_layer;

use crate::error::CliError;

/// Times every layer of `layers` on `backend`, one sample in f32, at each of `factors` times its
/// input and output widths.
///
/// # Errors
/// [`CliError::Predictor`] for a layer that is used at several places, or that does not fit into
/// memory.
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
                let mut layer = LayerShape {
                    inputs,
                    outputs,
                    ..layer.clone()
                };
                if layer.kind == LayerKind::ChannelWise {
                    layer.geometry.groups = outputs;
                }
                let nanoseconds = time_layer(&layer, backend)?;
                timings.push(LayerTiming { layer, nanoseconds });
            }
        }
    }
    Ok(Latency::new(backend.name(), timings)?)
}
