//! Memory of activations.

use super::{CostModel, LayerShape};

/// Bytes of all layers' outputs for one sample, as training keeps them.
#[derive(Debug, Clone, Copy)]
pub struct ActivationMemory {
    bytes: u64,
}

impl ActivationMemory {
    /// With so many bytes for each number.
    pub fn new(bytes: u64) -> Self {
        Self { bytes }
    }
}

impl Default for ActivationMemory {
    /// f32.
    fn default() -> Self {
        Self::new(4)
    }
}

impl CostModel for ActivationMemory {
    fn name(&self) -> &'static str {
        "activation-memory"
    }

    fn unit(&self) -> &'static str {
        "bytes"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        self.bytes * layer.output_size()
    }
}
