//! Trained parameters.

use super::{CostModel, LayerShape};

/// Trained parameters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parameters;

impl CostModel for Parameters {
    fn name(&self) -> &'static str {
        "parameters"
    }

    fn unit(&self) -> &'static str {
        "parameters"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        layer.parameters()
    }
}
