//! How long a forward pass takes on this machine, and predicting it.
//!
//! Single layers are timed at a grid of widths ([`time_layer`]); between its points their times
//! are interpolated ([`Latency`]). What a pass takes besides (activations, norms, pooling, the way
//! from layer to layer) is a constant and a factor, fitted to whole networks that are timed too.
//!
//! ```
//! use burgeon::backend::flex::FLEX;
//! use burgeon::core::{LayerKind, LayerShape};
//! use burgeon_predictor::latency::time_layer;
//!
//! let layer = LayerShape {
//!     name: "hidden".into(),
//!     kind: LayerKind::Mixing,
//!     inputs: 16,
//!     outputs: 8,
//!     taps: 1,
//!     extra: 1,
//!     input_positions: 1,
//!     output_positions: 1,
//!     geometry: Default::default(),
//! };
//! assert!(time_layer(&layer, &FLEX)? > 0);
//! # Ok::<(), burgeon_predictor::PredictorError>(())
//! ```

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Formatter};
use std::time::{Duration, Instant};

use burgeon::core::cost::{CostModel, Latency, LayerTiming};
use burgeon::core::{LayerKind, LayerShape, SplitBackend, Window};
use burgeon::nn::hash::{hex, of_data};
use burgeon::ops::conv2d;
use burn::tensor::{DType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::PredictorError;

/// Runs before any counts.
const WARM: usize = 2;

/// Runs at least, of which the median counts.
const RUNS: usize = 7;

/// Runs at most.
const MOST_RUNS: usize = 51;

/// Time after which no further run is made.
const ENOUGH: Duration = Duration::from_millis(15);

/// Numbers that a layer to be timed may have in its maps and weights: 4 GB.
const MOST: usize = 1 << 30;

/// The median time of `run` in nanoseconds, over 7 to 51 runs.
pub fn time(mut run: impl FnMut()) -> u64 {
    (0..WARM).for_each(|_| run());
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS || times.len() < MOST_RUNS && begun.elapsed() < ENOUGH {
        let started = Instant::now();
        run();
        times.push(started.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// The median time of `layer` for one sample in f32, in nanoseconds: a product for a linear layer,
/// a convolution for others.
///
/// # Errors
/// [`PredictorError::Settings`] for a layer that is used at several places, or that does not fit
/// into memory.
pub fn time_layer(layer: &LayerShape, backend: &dyn SplitBackend) -> Result<u64, PredictorError> {
    let refuse = |problem: String| {
        Err(PredictorError::Settings(format!(
            "`{}` cannot be timed: {problem}",
            layer.name
        )))
    };
    let geometry = layer.geometry;
    let counts = [
        (geometry.kernel, layer.taps.max(1)),
        (geometry.input, layer.input_positions),
        (geometry.output, layer.output_positions),
    ];
    if counts
        .iter()
        .any(|(sides, count)| sides[0].checked_mul(sides[1]) != Some(*count))
    {
        return refuse("its kernel and maps are not those of one use of it".into());
    }
    let (group_inputs, groups) = match layer.kind {
        LayerKind::Mixing => (
            layer.inputs / geometry.groups.max(1),
            geometry.groups.max(1),
        ),
        LayerKind::ChannelWise => (1, layer.inputs),
    };
    let sizes = [
        [layer.inputs, layer.input_positions, 1],
        [layer.outputs, layer.output_positions, 1],
        [layer.outputs, group_inputs, layer.taps.max(1)],
    ];
    let fits = |size: &[usize; 3]| {
        let product = size.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        product.is_some_and(|numbers| numbers <= MOST)
    };
    if !sizes.iter().all(fits) {
        return refuse(format!("its maps or weights have more than {MOST} numbers"));
    }
    let options = (&backend.device(), DType::F32);
    let is_linear = layer.kind == LayerKind::Mixing && layer.taps == 1 && groups == 1;
    if is_linear && layer.input_positions == 1 {
        let row = Tensor::<2>::ones([1, layer.inputs], options);
        let weight = Tensor::<2>::ones([layer.inputs, layer.outputs], options);
        return Ok(time(|| {
            // Reading a number waits for the device.
            let result = row.clone().matmul(weight.clone());
            result.slice([0..1, 0..1]).into_data();
        }));
    }
    let [kernel_height, kernel_width] = geometry.kernel;
    let window = Window {
        kernel: geometry.kernel,
        stride: geometry.stride,
        padding: [[kernel_height / 2; 2], [kernel_width / 2; 2]],
        dilation: [1; 2],
    };
    let [height, width] = geometry.input;
    let maps = Tensor::<4>::ones([1, layer.inputs, height, width], options);
    let weight = [layer.outputs, group_inputs, kernel_height, kernel_width];
    let weight = Tensor::<4>::ones(weight, options);
    Ok(time(|| {
        let result = conv2d(maps.clone(), weight.clone(), None, window, groups);
        result.slice([0..1, 0..1, 0..1, 0..1]).into_data();
    }))
}

/// A whole network that was timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedNetwork {
    /// Its layers.
    pub layers: Vec<LayerShape>,
    /// The median of its passes, in nanoseconds.
    pub nanoseconds: u64,
}

/// The predicted latency of a forward pass: that of the layers by a table, times a factor, and a
/// constant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PassLatency {
    table: Latency,
    /// In nanoseconds.
    constant: f64,
    factor: f64,
    /// Whole networks that the two were fitted to.
    networks: usize,
    /// The largest relative difference from one of them.
    apart: f64,
    machine: String,
}

impl PassLatency {
    /// Times the layers of `networks`, which are the same network at several widths, at all pairs
    /// of the widths that they have, and fits the rest.
    ///
    /// # Errors
    /// As [`time_layer`], and [`PredictorError::Settings`] where there is no layer to time.
    pub fn of(
        networks: &[TimedNetwork],
        backend: &dyn SplitBackend,
    ) -> Result<Self, PredictorError> {
        let first = networks.first().map_or(&[][..], |network| &network.layers);
        let mut timings = Vec::new();
        for layer in first.iter().filter(|layer| layer.taps > 0) {
            timings.extend(grid(layer, networks, backend)?);
        }
        let table = Latency::new(backend.name(), timings).map_err(|error| {
            PredictorError::Settings(format!(
                "the network's latency cannot be predicted: {error}"
            ))
        })?;
        let points: Vec<(f64, f64)> = networks
            .iter()
            .map(|network| {
                let layers = table.cost(&network.layers) as f64;
                (layers, network.nanoseconds as f64)
            })
            .collect();
        let (constant, factor) = line(&points);
        let apart = points
            .iter()
            .map(|(layers, measured)| ((constant + factor * layers) / measured - 1.0).abs())
            .fold(0.0, f64::max);
        Ok(Self {
            table,
            constant,
            factor,
            networks: networks.len(),
            apart,
            machine: machine(),
        })
    }

    /// How it was measured, in one sentence.
    pub fn description(&self) -> String {
        format!(
            "by {} timings of single layers ({}, one sample, f32, median of {RUNS} to \
             {MOST_RUNS} runs, {}), times {:.2}, plus {:.4} ms, fitted to {} whole networks (at \
             most {:.0} % apart)",
            self.table.timings().len(),
            self.table.device(),
            self.machine,
            self.factor,
            self.constant / 1e6,
            self.networks,
            100.0 * self.apart
        )
    }
}

/// Part of a run's identity: with a hash of the timings, which are many.
impl Debug for PassLatency {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let timings = serde_json::to_vec(self.table.timings()).map_err(|_| fmt::Error)?;
        let length = timings.len();
        let hash = of_data(&TensorData::from_bytes_vec(timings, [length], DType::U8));
        f.debug_struct("PassLatency")
            .field("machine", &self.machine)
            .field("constant", &self.constant)
            .field("factor", &self.factor)
            .field("timings", &hex(&hash))
            .finish()
    }
}

impl CostModel for PassLatency {
    fn name(&self) -> &'static str {
        "pass-latency"
    }

    fn unit(&self) -> &'static str {
        "ns"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        (self.factor * self.table.layer_cost(layer) as f64).round() as u64
    }

    fn cost(&self, layers: &[LayerShape]) -> u64 {
        let layers: u64 = layers.iter().map(|layer| self.layer_cost(layer)).sum();
        layers.saturating_add(self.constant.round() as u64)
    }
}

/// Timings of `layer` at all pairs of the widths that it has in `networks`. A wider layer is never
/// faster: what noise says otherwise is put right.
fn grid(
    layer: &LayerShape,
    networks: &[TimedNetwork],
    backend: &dyn SplitBackend,
) -> Result<Vec<LayerTiming>, PredictorError> {
    let own = || {
        let all = networks.iter().flat_map(|network| &network.layers);
        all.filter(|other| other.name == layer.name)
    };
    let outputs: BTreeSet<usize> = own().map(|layer| layer.outputs).collect();
    let mut timings: Vec<LayerTiming> = Vec::new();
    for outputs in outputs {
        let inputs: BTreeSet<usize> = match layer.kind {
            LayerKind::Mixing => own().map(|layer| layer.inputs).collect(),
            LayerKind::ChannelWise => [outputs].into(),
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
            let slower = timings.iter().filter(|timing| {
                timing.layer.outputs <= outputs
                    && (timing.layer.inputs <= inputs || layer.kind == LayerKind::ChannelWise)
            });
            let least = slower.map(|timing| timing.nanoseconds).max().unwrap_or(1);
            let nanoseconds = time_layer(&layer, backend)?.max(least);
            timings.push(LayerTiming { layer, nanoseconds });
        }
    }
    Ok(timings)
}

/// Constant and factor of the line through `points` of least relative squares; neither is negative.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        points.iter().map(|(x, y)| of(*x, *y) / (y * y)).sum()
    };
    let (ones, x, y) = (sum(&|_, _| 1.0), sum(&|x, _| x), sum(&|_, y| y));
    let (xx, xy) = (sum(&|x, _| x * x), sum(&|x, y| x * y));
    let determinant = ones * xx - x * x;
    let factor = (ones * xy - x * y) / determinant;
    let constant = (y - factor * x) / ones;
    if factor.is_finite() && factor > 0.0 && constant >= 0.0 {
        return (constant, factor);
    }
    // Through the origin.
    (0.0, xy / xx)
}

/// The processor and the threads that are used.
fn machine() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {threads} cores")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_is_found_and_a_falling_one_is_not() {
        let (constant, factor) = line(&[(1.0, 5.0), (2.0, 7.0), (10.0, 23.0)]);
        assert!((constant - 3.0).abs() < 1e-9 && (factor - 2.0).abs() < 1e-9);
        let (constant, factor) = line(&[(1.0, 5.0), (2.0, 4.0)]);
        assert!(constant == 0.0 && factor > 0.0);
        assert_eq!(line(&[(2.0, 6.0)]), (0.0, 3.0));
    }
}
