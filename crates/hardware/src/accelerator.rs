//! Engines side by side on one board.

use serde::{Deserialize, Serialize};

use crate::board::Resources;
use crate::cycles::Cycles;
use crate::engine::{ConvolutionEngine, DepthwiseEngine, Engine};
use crate::error::HardwareError;
use crate::layer::ConvLayer;

/// A convolution engine, perhaps with one for depthwise layers beside it. Layers run one after the
/// other, so that the two share memory ports; each has multipliers and buffers of its own.
/// Without it a depthwise layer runs on the convolution engine, one channel at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accelerator {
    /// For layers in which channels mix.
    pub convolution: ConvolutionEngine,
    /// For the others.
    pub depthwise: Option<DepthwiseEngine>,
}

impl Accelerator {
    /// The engine that runs `layer`.
    pub fn engine(&self, layer: &ConvLayer) -> &dyn Engine {
        match &self.depthwise {
            Some(engine) if layer.is_depthwise() => engine,
            _ => &self.convolution,
        }
    }
}

impl Engine for Accelerator {
    fn describe(&self) -> String {
        match &self.depthwise {
            None => self.convolution.describe(),
            Some(depthwise) => {
                format!("{}; {}", self.convolution.describe(), depthwise.describe())
            }
        }
    }

    fn resources(&self) -> Resources {
        let own = self.convolution.resources();
        let Some(depthwise) = &self.depthwise else {
            return own;
        };
        let beside = depthwise.resources();
        Resources {
            dsp: own.dsp.saturating_add(beside.dsp),
            bram18: own.bram18.saturating_add(beside.bram18),
            port_bits: own.port_bits.max(beside.port_bits),
        }
    }

    /// Of both engines together, of which one is idle at any time.
    fn peak(&self) -> f64 {
        let beside = self.depthwise.as_ref().map_or(0.0, Engine::peak);
        self.convolution.peak() + beside
    }

    fn bandwidth(&self) -> Option<f64> {
        let beside = self.depthwise.as_ref().and_then(Engine::bandwidth);
        let own = self.convolution.bandwidth();
        own.map(|own| own.max(beside.unwrap_or(0.0)))
    }

    fn cycles(&self, layer: &ConvLayer) -> Result<Cycles, HardwareError> {
        self.engine(layer).cycles(layer)
    }
}
