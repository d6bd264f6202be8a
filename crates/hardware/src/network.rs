//! Networks, layer after layer on one engine.

use serde::{Deserialize, Serialize};

use crate::cycles::Cycles;
use crate::engine::Engine;
use crate::error::HardwareError;
use crate::layer::ConvLayer;

/// The cycles of all layers of a network, one after the other on the same engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkCycles {
    /// Of each layer.
    pub layers: Vec<Cycles>,
    /// Of all of them.
    pub total: f64,
}

impl NetworkCycles {
    /// Of `layers` on `engine`.
    ///
    /// # Errors
    /// [`HardwareError::Layer`] for one that it cannot run.
    pub fn of(engine: &dyn Engine, layers: &[ConvLayer]) -> Result<Self, HardwareError> {
        let cycles = layers.iter().map(|layer| engine.cycles(layer));
        let layers = cycles.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            total: layers.iter().map(|cycles| cycles.total).sum(),
            layers,
        })
    }

    /// The share of an engine's multiplications that is used.
    pub fn utilisation(&self, layers: &[ConvLayer], engine: &dyn Engine) -> f64 {
        let macs: f64 = layers.iter().map(ConvLayer::macs).sum();
        macs / (self.total * engine.peak())
    }
}
