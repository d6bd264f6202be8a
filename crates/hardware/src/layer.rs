//! Layers as engines see them.

use burgeon_core::{LayerKind, LayerShape};
use serde::{Deserialize, Serialize};

use crate::error::{HardwareError, not_zero};

/// A convolution for one sample. A linear layer has a 1×1 kernel on one position; a depthwise layer
/// has as many groups as channels, each of one input and one output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvLayer {
    /// Its name.
    pub name: String,
    /// Channels that each group reads (N).
    pub inputs: usize,
    /// Channels that each group gives (M).
    pub outputs: usize,
    /// Groups of channels that do not mix.
    pub groups: usize,
    /// The map that it gives, `[rows, columns]` (R, C).
    pub output: [usize; 2],
    /// The map that it reads, without padding.
    pub input: [usize; 2],
    /// Its kernel, `[rows, columns]` (K, K).
    pub kernel: [usize; 2],
    /// Its step (S).
    pub stride: [usize; 2],
    /// How often it is used for a sample.
    pub uses: usize,
}

impl ConvLayer {
    /// A convolution of `[in, out]` channels and stride 1 that keeps maps of `[rows, columns]`.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where a size is 0.
    pub fn new(
        name: impl Into<String>,
        [inputs, outputs]: [usize; 2],
        map: [usize; 2],
        kernel: usize,
    ) -> Result<Self, HardwareError> {
        let layer = Self {
            name: name.into(),
            inputs,
            outputs,
            groups: 1,
            output: map,
            input: map,
            kernel: [kernel; 2],
            stride: [1, 1],
            uses: 1,
        };
        layer.check()?;
        Ok(layer)
    }

    /// With a stride, on a larger map, which it reads.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where a size is 0.
    pub fn strided(mut self, stride: usize, input: [usize; 2]) -> Result<Self, HardwareError> {
        self.stride = [stride; 2];
        self.input = input;
        self.check()?;
        Ok(self)
    }

    /// With each of its inputs filtered by itself.
    #[must_use]
    pub fn depthwise(mut self) -> Self {
        self.groups = self.outputs;
        self.inputs = 1;
        self.outputs = 1;
        self
    }

    /// The layer of `shape`; `None` where it multiplies nothing (a normalisation).
    ///
    /// # Errors
    /// [`HardwareError::Layer`] where the shape's geometry contradicts its counts.
    pub fn of(shape: &LayerShape) -> Result<Option<Self>, HardwareError> {
        if shape.taps == 0 {
            return Ok(None);
        }
        let geometry = &shape.geometry;
        let [rows, columns] = geometry.kernel;
        if rows.checked_mul(columns) != Some(shape.taps) {
            return HardwareError::layer(
                &shape.name,
                format!(
                    "its geometry has a {rows}×{columns} kernel, and it is said to have {} taps: \
                     give it the geometry of its window",
                    shape.taps
                ),
            );
        }
        let (groups, inputs) = match shape.kind {
            LayerKind::Mixing => (geometry.groups.max(1), shape.inputs),
            LayerKind::ChannelWise => (shape.outputs.max(1), 1),
        };
        if !shape.outputs.is_multiple_of(groups) {
            let outputs = shape.outputs;
            return HardwareError::layer(
                &shape.name,
                format!("{outputs} channels cannot be divided among {groups} groups"),
            );
        }
        let positions = geometry.output[0].saturating_mul(geometry.output[1]);
        let layer = Self {
            name: shape.name.clone(),
            inputs,
            outputs: shape.outputs / groups,
            groups,
            output: geometry.output,
            input: geometry.input,
            kernel: geometry.kernel,
            stride: geometry.stride,
            uses: (shape.output_positions / positions.max(1)).max(1),
        };
        layer.check()?;
        Ok(Some(layer))
    }

    /// The layers of a network, without those that multiply nothing.
    ///
    /// # Errors
    /// Those of [`of`](Self::of).
    pub fn all(shapes: &[LayerShape]) -> Result<Vec<Self>, HardwareError> {
        let layers = shapes.iter().map(Self::of);
        layers.filter_map(Result::transpose).collect()
    }

    /// Whether each channel is filtered by itself.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.inputs == 1 && self.outputs == 1
    }

    /// Taps of its kernel (K²).
    pub fn taps(&self) -> f64 {
        self.kernel[0] as f64 * self.kernel[1] as f64
    }

    /// Rows and columns of zeros on each side of its input (P), as its sizes imply them.
    pub fn padding(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let steps = self.output[axis].saturating_sub(1);
            let reach = steps.saturating_mul(self.stride[axis]);
            let reach = reach.saturating_add(self.kernel[axis]);
            reach.saturating_sub(self.input[axis]).div_ceil(2)
        })
    }

    /// Multiply-accumulate operations of one sample.
    pub fn macs(&self) -> f64 {
        let channels = self.groups as f64 * self.inputs as f64 * self.outputs as f64;
        let positions = self.output[0] as f64 * self.output[1] as f64;
        self.uses as f64 * channels * positions * self.taps()
    }

    /// Numbers that it gives for one sample.
    pub fn output_size(&self) -> f64 {
        let channels = self.groups as f64 * self.outputs as f64;
        let positions = self.output[0] as f64 * self.output[1] as f64;
        self.uses as f64 * channels * positions
    }

    /// The part of its input that a tile of `[rows, columns]` of its output reads, as far as there
    /// is input.
    pub(crate) fn input_tile(&self, [rows, columns]: [usize; 2]) -> f64 {
        let reach = |axis: usize, length: usize| {
            let steps = length.saturating_sub(1).saturating_mul(self.stride[axis]);
            let reach = steps.saturating_add(self.kernel[axis]);
            reach.min(self.input[axis]) as f64
        };
        reach(0, rows) * reach(1, columns)
    }

    fn check(&self) -> Result<(), HardwareError> {
        not_zero("channels", &[self.inputs, self.outputs, self.groups])?;
        not_zero("map", &[self.output, self.input].concat())?;
        not_zero("kernel", &self.kernel)?;
        not_zero("stride", &self.stride)
    }
}
