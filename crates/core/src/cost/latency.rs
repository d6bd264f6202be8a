//! Measured latency.

use serde::{Deserialize, Serialize};

use super::{CostModel, LayerKind, LayerShape};
use crate::error::CoreError;

/// One layer as it was timed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTiming {
    /// What was timed.
    pub layer: LayerShape,
    /// Median of its times, in nanoseconds.
    pub nanoseconds: u64,
}

/// A table of layer timings on one device, interpolated.
///
/// Timings of a layer (the name; kernel and positions are the same) lie on a grid of input and
/// output channels; between its points, and beyond its ends, time is bilinear in the two.
/// Growths change channels only, so the grid covers what a growing network becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table")]
pub struct Latency {
    device: String,
    timings: Vec<LayerTiming>,
}

/// What a file holds.
#[derive(Deserialize)]
struct Table {
    device: String,
    timings: Vec<LayerTiming>,
}

impl TryFrom<Table> for Latency {
    type Error = CoreError;

    fn try_from(table: Table) -> Result<Self, CoreError> {
        Self::new(table.device, table.timings)
    }
}

impl Latency {
    /// A table of `timings` taken on `device`.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] where there is none, or a layer's timings are no full grid.
    pub fn new(device: impl Into<String>, timings: Vec<LayerTiming>) -> Result<Self, CoreError> {
        let table = Self {
            device: device.into(),
            timings,
        };
        if table.timings.is_empty() {
            return Err(CoreError::Parameter {
                name: "latency table",
                value: "no timing".into(),
                expected: "at least one timing of each layer",
            });
        }
        for timing in &table.timings {
            let (inputs, outputs) = table.grid(&timing.layer.name);
            let full = inputs.iter().all(|i| {
                let found = |o: &usize| table.at(&timing.layer.name, *i, *o).is_some();
                outputs.iter().all(found)
            });
            if !full {
                return Err(CoreError::Parameter {
                    name: "latency table",
                    value: format!("layer `{}`", timing.layer.name),
                    expected: "a timing for each of its input widths with each of its output widths",
                });
            }
        }
        Ok(table)
    }

    /// The device it was taken on.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The timings.
    pub fn timings(&self) -> &[LayerTiming] {
        &self.timings
    }

    /// The input and output widths that were timed.
    fn grid(&self, name: &str) -> (Vec<usize>, Vec<usize>) {
        let of = |width: fn(&LayerShape) -> usize| {
            let layers = self.timings.iter().map(|timing| &timing.layer);
            let mut widths: Vec<usize> = layers.filter(|l| l.name == name).map(width).collect();
            widths.sort_unstable();
            widths.dedup();
            widths
        };
        (of(input_width), of(|layer| layer.outputs))
    }

    fn at(&self, name: &str, inputs: usize, outputs: usize) -> Option<f64> {
        let found = self.timings.iter().find(|timing| {
            let layer = &timing.layer;
            (layer.name.as_str(), input_width(layer), layer.outputs) == (name, inputs, outputs)
        });
        found.map(|timing| timing.nanoseconds as f64)
    }
}

/// The input width as a coordinate; a channel-wise layer has but one.
fn input_width(layer: &LayerShape) -> usize {
    match layer.kind {
        LayerKind::Mixing => layer.inputs,
        LayerKind::ChannelWise => 1,
    }
}

/// The two grid points around `width` (the nearest two beyond the ends), and where it lies
/// between them.
fn around(grid: &[usize], width: usize) -> (usize, usize, f64) {
    let upper = grid.iter().position(|point| *point >= width);
    let upper = upper.unwrap_or(grid.len() - 1).max(1).min(grid.len() - 1);
    let lower = upper.saturating_sub(1);
    let (low, high) = (grid[lower], grid[upper]);
    if low == high {
        return (low, high, 0.0);
    }
    let share = (width as f64 - low as f64) / (high as f64 - low as f64);
    (low, high, share)
}

impl CostModel for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn unit(&self) -> &'static str {
        "ns"
    }

    /// Layers that were not timed cost nothing; [`timings`](Self::timings) says which were.
    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        let (inputs, outputs) = self.grid(&layer.name);
        if inputs.is_empty() {
            return 0;
        }
        let (i0, i1, i) = around(&inputs, input_width(layer));
        let (o0, o1, o) = around(&outputs, layer.outputs);
        let at = |inputs, outputs| self.at(&layer.name, inputs, outputs).unwrap_or(0.0);
        let low = at(i0, o0) * (1.0 - o) + at(i0, o1) * o;
        let high = at(i1, o0) * (1.0 - o) + at(i1, o1) * o;
        (low * (1.0 - i) + high * i).max(0.0).round() as u64
    }
}
