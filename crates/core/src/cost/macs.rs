//! Multiply-accumulate operations.

use super::{CostModel, LayerShape};

/// Multiply-accumulate operations for one sample.
#[derive(Debug, Clone, Copy, Default)]
pub struct Macs;

impl CostModel for Macs {
    fn name(&self) -> &'static str {
        "macs"
    }

    fn unit(&self) -> &'static str {
        "MACs"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        layer.macs()
    }
}
