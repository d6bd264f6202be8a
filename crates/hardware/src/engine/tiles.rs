//! What tiled engines have in common: tiles, ports, words and buffers.

use serde::{Deserialize, Serialize};

use crate::error::{HardwareError, not_zero};
use crate::layer::ConvLayer;

/// Bits of a BRAM18, as the published resource models count them.
const BRAM_BITS: u64 = 18_000;

/// Tiles of a convolution engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tiling {
    /// Output channels at a time (Tm): as many dot products run beside each other.
    pub outputs: usize,
    /// Input channels at a time (Tn): the length of each dot product.
    pub inputs: usize,
    /// Rows of the output at a time (Tr).
    pub rows: usize,
    /// Columns of the output at a time (Tc).
    pub columns: usize,
}

impl Tiling {
    /// Tiles `[Tm, Tn, Tr, Tc]`.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where one is 0.
    pub fn new([outputs, inputs, rows, columns]: [usize; 4]) -> Result<Self, HardwareError> {
        not_zero("tile", &[outputs, inputs, rows, columns])?;
        Ok(Self {
            outputs,
            inputs,
            rows,
            columns,
        })
    }
}

/// Words that are moved in a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ports {
    /// Of weights (W_p).
    pub weights: usize,
    /// Of inputs (I_p).
    pub inputs: usize,
    /// Of outputs (O_p).
    pub outputs: usize,
}

impl Ports {
    /// Ports `[W_p, I_p, O_p]`.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where one is 0.
    pub fn new([weights, inputs, outputs]: [usize; 3]) -> Result<Self, HardwareError> {
        not_zero("ports", &[weights, inputs, outputs])?;
        Ok(Self {
            weights,
            inputs,
            outputs,
        })
    }

    /// Words of all ports in a cycle.
    pub fn words(&self) -> u64 {
        let words = [self.weights, self.inputs, self.outputs];
        words
            .into_iter()
            .fold(0, |sum, port| sum.saturating_add(port as u64))
    }
}

/// The type of numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// 16-bit fixed point: one DSP slice for each multiplier.
    #[default]
    Fixed16,
    /// 32-bit floating point: five DSP slices for each multiplier (Zhang et al., FPGA 2015).
    Float32,
}

impl Word {
    /// Its bits.
    pub fn bits(self) -> u64 {
        match self {
            Self::Fixed16 => 16,
            Self::Float32 => 32,
        }
    }

    /// DSP slices of a multiplier with its sum.
    pub fn dsp(self) -> u64 {
        match self {
            Self::Fixed16 => 1,
            Self::Float32 => 5,
        }
    }

    /// BRAM18 that hold so many words.
    pub(crate) fn brams(self, words: u64) -> u64 {
        words.saturating_mul(self.bits()).div_ceil(BRAM_BITS)
    }
}

/// How tiles at the end of an axis are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edges {
    /// As long as they are.
    #[default]
    Exact,
    /// As whole tiles, which a simple loop makes of them.
    Whole,
}

impl Edges {
    /// The tiles of an axis: how long, and how often.
    pub(crate) fn pieces(self, length: usize, tile: usize) -> Vec<(usize, f64)> {
        let (whole, rest) = (length / tile, length % tile);
        match self {
            Self::Exact => [(tile, whole), (rest, usize::from(rest > 0))]
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(size, count)| (size, count as f64))
                .collect(),
            Self::Whole => vec![(tile.min(length), length.div_ceil(tile) as f64)],
        }
    }
}

/// Cycles in which `words` pass through a port.
pub(crate) fn transfer(words: f64, port: usize) -> f64 {
    (words / port as f64).ceil()
}

/// Whether a kernel and a stride are those that buffers were made for.
pub(crate) fn check_window(
    layer: &ConvLayer,
    kernel: usize,
    stride: usize,
) -> Result<(), HardwareError> {
    let [rows, columns] = layer.kernel;
    if rows > kernel || columns > kernel {
        return HardwareError::layer(
            &layer.name,
            format!(
                "its kernel is {rows}×{columns} and the engine's buffers hold {kernel}×{kernel}: \
                 design it for a larger kernel"
            ),
        );
    }
    if layer.stride.iter().any(|step| *step > stride) {
        return HardwareError::layer(
            &layer.name,
            format!(
                "its stride is {:?} and the engine's buffers are made for {stride}: design it for \
                 a larger stride",
                layer.stride
            ),
        );
    }
    Ok(())
}

/// Numbers of input behind a tile of `tiling` for this kernel and stride.
pub(crate) fn halo(tiling: &Tiling, kernel: usize, stride: usize) -> u64 {
    let reach = |tile: usize| {
        let steps = (tile as u64 - 1).saturating_mul(stride as u64);
        steps.saturating_add(kernel as u64)
    };
    reach(tiling.rows).saturating_mul(reach(tiling.columns))
}
