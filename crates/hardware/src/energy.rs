//! Energy of an accelerator.

use std::sync::Arc;

use burgeon_core::{CostModel, LayerShape};

use crate::board::Board;
use crate::cost::cycles;
use crate::engine::Engine;
use crate::error::HardwareError;

/// Energy of one sample in nanojoule: the time that an engine works, times the power that its
/// board is stated to draw. No measurement.
#[derive(Debug, Clone)]
pub struct EngineEnergy {
    engine: Arc<dyn Engine>,
    nanojoule_per_cycle: f64,
}

impl EngineEnergy {
    /// Of `engine` on `board`.
    ///
    /// # Errors
    /// [`HardwareError`] where the engine does not fit, or the board's clock or power is none.
    pub fn new(engine: Arc<dyn Engine>, board: &Board) -> Result<Self, HardwareError> {
        board.check()?;
        board.fits(&engine.resources())?;
        Ok(Self {
            engine,
            nanojoule_per_cycle: board.watts * board.seconds(1.0) * 1e9,
        })
    }
}

impl CostModel for EngineEnergy {
    fn name(&self) -> &'static str {
        "engine-energy"
    }

    fn unit(&self) -> &'static str {
        "nJ"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        // A cast stops at the largest number.
        (cycles(self.engine.as_ref(), layer) * self.nanojoule_per_cycle).ceil() as u64
    }

    fn cost(&self, layers: &[LayerShape]) -> u64 {
        let costs = layers.iter().map(|layer| self.layer_cost(layer));
        costs.fold(0, u64::saturating_add)
    }
}
