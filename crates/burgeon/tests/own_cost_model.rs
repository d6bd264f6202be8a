//! A cost model of one's own, by the public interface alone: words of on-chip memory, in lines of
//! eight.

use burgeon::core::LayerShape;
use burgeon::nn::cost::layer_shapes;
use burgeon::prelude::*;

mod common;

#[derive(Debug)]
struct MemoryLines;

impl CostModel for MemoryLines {
    fn name(&self) -> &'static str {
        "memory-lines"
    }

    fn unit(&self) -> &'static str {
        "lines"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        (layer.outputs.div_ceil(8) * layer.inputs) as u64
    }
}

#[test]
fn a_cost_model_of_ones_own_bounds_a_network() {
    let budget = 200;
    let config = GrowerConfig::new(
        RandomNeuron::zero_fan_out(),
        Threshold::new(0.0).expect("finite"),
    )
    .with_cost_budget(MemoryLines, budget)
    .with_max_epochs(20);
    let mut grower = common::grower(config);
    let cost = |model: &common::Mlp| {
        let layers = layer_shapes(model, &common::digits(4)).expect("traceable");
        MemoryLines.cost(&layers)
    };
    let before = cost(grower.model());
    grower.run().expect("runs");
    let after = cost(grower.model());
    assert!(before < after && after <= budget, "{before}, {after} lines");
}
