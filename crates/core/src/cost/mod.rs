//! Cost models: what a layer, and with it a network or a growth, costs.

mod activation_memory;
mod bytes_moved;
mod energy;
mod geometry;
mod latency;
mod macs;
mod parameters;

pub use activation_memory::ActivationMemory;
pub use bytes_moved::BytesMoved;
pub use energy::{Energy, Precision};
pub use geometry::Geometry;
pub use latency::{Latency, LayerTiming};
pub use macs::Macs;
pub use parameters::Parameters;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// How a layer's outputs depend on its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Each output reads all inputs (a linear layer, a convolution).
    Mixing,
    /// Each output reads its own input (a depthwise convolution, a normalisation).
    ChannelWise,
}

/// A layer as cost models see it, for one sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerShape {
    /// Its name.
    pub name: String,
    /// How outputs depend on inputs.
    pub kind: LayerKind,
    /// Channels (columns of a linear layer) that it reads.
    pub inputs: usize,
    /// Channels that it gives.
    pub outputs: usize,
    /// Weights for each input that an output reads: the kernel's taps, 1 for a linear layer, 0 for
    /// a normalisation alone.
    pub taps: usize,
    /// Trained parameters of each output besides these weights: bias, γ and β.
    pub extra: usize,
    /// Positions at which it reads: h·w of the input map, 1 for a linear layer.
    pub input_positions: usize,
    /// Positions that it gives.
    pub output_positions: usize,
    /// Its window and maps.
    #[serde(default)]
    pub geometry: Geometry,
}

impl LayerShape {
    /// Inputs that one output reads.
    fn read(&self) -> u64 {
        match self.kind {
            LayerKind::Mixing => self.inputs as u64,
            LayerKind::ChannelWise => 1,
        }
    }

    /// Weights, biases and normalisation parameters not counted.
    pub fn weights(&self) -> u64 {
        self.outputs as u64 * self.read() * self.taps as u64
    }

    /// Trained parameters.
    pub fn parameters(&self) -> u64 {
        self.weights() + (self.outputs * self.extra) as u64
    }

    /// Multiply-accumulate operations; biases, normalisation and activations are not counted, as
    /// is usual.
    pub fn macs(&self) -> u64 {
        self.weights() * self.output_positions as u64
    }

    /// Numbers read.
    pub fn input_size(&self) -> u64 {
        (self.inputs * self.input_positions) as u64
    }

    /// Numbers given.
    pub fn output_size(&self) -> u64 {
        (self.outputs * self.output_positions) as u64
    }
}

/// A price for layers.
///
/// A network's cost is the sum over its layers, and a growth's cost is that sum after it less the
/// one before: what it adds to the consumers is in it.
pub trait CostModel: Debug + Send + Sync {
    /// The model's name.
    fn name(&self) -> &'static str;

    /// What costs are counted in.
    fn unit(&self) -> &'static str;

    /// The cost of one layer for one sample.
    fn layer_cost(&self, layer: &LayerShape) -> u64;

    /// The cost of all `layers`.
    fn cost(&self, layers: &[LayerShape]) -> u64 {
        layers.iter().map(|layer| self.layer_cost(layer)).sum()
    }
}
