//! Accelerators as cost models of networks that grow.

use std::sync::Arc;

use burgeon_core::{CostModel, LayerShape};

use crate::accelerator::Accelerator;
use crate::engine::Engine;
use crate::error::HardwareError;
use crate::layer::ConvLayer;
use crate::pipeline::Pipeline;

/// Cycles of a layer on `engine`: 0 for one that multiplies nothing, infinite for one that the
/// engine cannot run.
pub(crate) fn cycles(engine: &dyn Engine, shape: &LayerShape) -> f64 {
    match ConvLayer::of(shape) {
        Ok(None) => 0.0,
        Ok(Some(layer)) => engine
            .cycles(&layer)
            .map_or(f64::INFINITY, |cycles| cycles.total),
        Err(_) => f64::INFINITY,
    }
}

/// Cycles of a network on one engine. A layer that it cannot run costs the largest number there is.
///
/// A neuron more is free up to the next whole tile and costs a step there.
#[derive(Debug, Clone)]
pub struct EngineCycles {
    engine: Arc<dyn Engine>,
}

impl EngineCycles {
    /// On `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }
}

impl CostModel for EngineCycles {
    fn name(&self) -> &'static str {
        "engine-cycles"
    }

    fn unit(&self) -> &'static str {
        "cycles"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        // A cast stops at the largest number.
        cycles(self.engine.as_ref(), layer).ceil() as u64
    }

    fn cost(&self, layers: &[LayerShape]) -> u64 {
        let costs = layers.iter().map(|layer| self.layer_cost(layer));
        costs.fold(0, u64::saturating_add)
    }
}

/// Cycles of a network on whichever of some designs is best for it: hardware is found anew for each
/// network that is priced, by trying all. What no design can run costs the largest number there is.
#[derive(Debug, Clone)]
pub struct BestDesignCycles {
    designs: Arc<[Accelerator]>,
}

impl BestDesignCycles {
    /// On one of `designs`, those of a [`DesignSpace`](crate::DesignSpace) that fit a board, say.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] for no design.
    pub fn new(designs: Vec<Accelerator>) -> Result<Self, HardwareError> {
        match designs.is_empty() {
            true => HardwareError::parameter("designs", "none", "at least one"),
            false => Ok(Self {
                designs: designs.into(),
            }),
        }
    }

    /// The designs, the first of equals being the best.
    pub fn designs(&self) -> &[Accelerator] {
        &self.designs
    }
}

impl CostModel for BestDesignCycles {
    fn name(&self) -> &'static str {
        "best-design-cycles"
    }

    fn unit(&self) -> &'static str {
        "cycles"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        self.cost(std::slice::from_ref(layer))
    }

    fn cost(&self, layers: &[LayerShape]) -> u64 {
        let total = |design: &Accelerator| -> f64 {
            layers.iter().map(|layer| cycles(design, layer)).sum()
        };
        let least = self.designs.iter().map(total).fold(f64::INFINITY, f64::min);
        // A cast stops at the largest number.
        least.ceil() as u64
    }
}

/// The period of a network on several boards, in nanoseconds: the slowest stage's, a maximum and
/// not a sum. Cuts stay between the layers, known by name, where they were; a layer that was not
/// there runs on the board of the one before it. Links are left out: what grows is between them as
/// much as at them.
#[derive(Debug, Clone)]
pub struct PipelinePeriod {
    stages: Vec<(Vec<String>, Arc<dyn Engine>, f64)>,
}

impl PipelinePeriod {
    /// Of `pipeline`, made for `layers`.
    pub fn new(pipeline: &Pipeline, layers: &[ConvLayer]) -> Self {
        let stages = pipeline.stages.iter().map(|stage| {
            let own = layers.get(stage.layers.clone()).unwrap_or_default();
            let names = own.iter().map(|layer| layer.name.clone()).collect();
            let engine: Arc<dyn Engine> = Arc::new(stage.accelerator.clone());
            (names, engine, stage.board.megahertz)
        });
        Self {
            stages: stages.collect(),
        }
    }
}

impl CostModel for PipelinePeriod {
    fn name(&self) -> &'static str {
        "pipeline-period"
    }

    fn unit(&self) -> &'static str {
        "ns"
    }

    fn layer_cost(&self, layer: &LayerShape) -> u64 {
        self.cost(std::slice::from_ref(layer))
    }

    fn cost(&self, layers: &[LayerShape]) -> u64 {
        let mut times = vec![0.0_f64; self.stages.len()];
        let mut at = 0;
        for layer in layers {
            let own = self
                .stages
                .iter()
                .position(|(names, ..)| names.contains(&layer.name));
            at = own.unwrap_or(at);
            if let Some((_, engine, megahertz)) = self.stages.get(at) {
                times[at] += cycles(engine.as_ref(), layer) * 1e3 / megahertz;
            }
        }
        times.into_iter().fold(0.0, f64::max).ceil() as u64
    }
}
