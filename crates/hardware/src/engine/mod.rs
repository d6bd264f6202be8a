//! Engines: what runs layers.

mod convolution;
mod depthwise;
mod published;
mod systolic;
mod tiles;

pub use convolution::ConvolutionEngine;
pub use depthwise::DepthwiseEngine;
pub use published::Published;
pub use systolic::{Dataflow, SystolicArray};
pub use tiles::{Edges, Ports, Tiling, Word};

use std::fmt::Debug;

use crate::board::Resources;
use crate::cycles::Cycles;
use crate::error::HardwareError;
use crate::layer::ConvLayer;

/// Something that runs layers one after the other.
pub trait Engine: Debug + Send + Sync {
    /// What it is, with its parameters.
    fn describe(&self) -> String;

    /// What it needs.
    fn resources(&self) -> Resources;

    /// Multiply-accumulate operations in a cycle, at most.
    fn peak(&self) -> f64;

    /// Words that it moves in a cycle, at most; `None` where memory is not modelled.
    fn bandwidth(&self) -> Option<f64>;

    /// The cycles of `layer` for one sample.
    ///
    /// # Errors
    /// [`HardwareError::Layer`] where its buffers do not hold what the layer needs.
    fn cycles(&self, layer: &ConvLayer) -> Result<Cycles, HardwareError>;

    /// The share of its multiplications that is used in the `cycles` that it takes for `layer`.
    fn utilisation(&self, layer: &ConvLayer, cycles: &Cycles) -> f64 {
        layer.macs() / (cycles.total * self.peak())
    }
}
