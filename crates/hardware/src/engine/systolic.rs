//! Systolic arrays.

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::board::Resources;
use crate::cycles::{Cycles, Step, Tally};
use crate::error::{HardwareError, not_zero};
use crate::layer::ConvLayer;

/// What stays in the array while the rest flows through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataflow {
    /// Sums.
    OutputStationary,
    /// Weights.
    WeightStationary,
    /// Inputs.
    InputStationary,
}

/// An array of multipliers through which matrices flow, with memories that never stall it.
///
/// For a layer of E output positions, dot products of length T = K²·N and M outputs, on r rows and
/// c columns (A. Samajdar et al., SCALE-Sim, arXiv 1811.02883; its program reports one cycle less):
///
/// ```text
/// output stationary: ⌈E/r⌉ ⌈M/c⌉ (T + r + c − 2)
/// weight stationary: ⌈T/r⌉ ⌈M/c⌉ (2r + c + E − 2)
/// input stationary:  ⌈T/r⌉ ⌈E/c⌉ (2r + c + M − 2)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystolicArray {
    rows: usize,
    columns: usize,
    dataflow: Dataflow,
}

impl SystolicArray {
    /// An array of `[rows, columns]`.
    ///
    /// # Errors
    /// [`HardwareError::Parameter`] where one is 0.
    pub fn new([rows, columns]: [usize; 2], dataflow: Dataflow) -> Result<Self, HardwareError> {
        not_zero("array", &[rows, columns])?;
        Ok(Self {
            rows,
            columns,
            dataflow,
        })
    }
}

impl Engine for SystolicArray {
    fn describe(&self) -> String {
        let dataflow = match self.dataflow {
            Dataflow::OutputStationary => "output",
            Dataflow::WeightStationary => "weight",
            Dataflow::InputStationary => "input",
        };
        format!("{dataflow} stationary array {}×{}", self.rows, self.columns)
    }

    /// One multiplier a place; memories and ports are not modelled.
    fn resources(&self) -> Resources {
        Resources {
            dsp: (self.rows as u64).saturating_mul(self.columns as u64),
            ..Resources::default()
        }
    }

    fn peak(&self) -> f64 {
        self.rows as f64 * self.columns as f64
    }

    fn bandwidth(&self) -> Option<f64> {
        None
    }

    fn cycles(&self, layer: &ConvLayer) -> Result<Cycles, HardwareError> {
        let [r, c] = [self.rows, self.columns].map(|side| side as f64);
        let positions = layer.output[0] as f64 * layer.output[1] as f64;
        let length = layer.taps() * layer.inputs as f64;
        let outputs = layer.outputs as f64;
        let folds = |rows: f64, columns: f64| (rows / r).ceil() * (columns / c).ceil();
        let (folds, each) = match self.dataflow {
            Dataflow::OutputStationary => (folds(positions, outputs), length + r + c - 2.0),
            Dataflow::WeightStationary => (folds(length, outputs), 2.0 * r + c + positions - 2.0),
            Dataflow::InputStationary => (folds(length, positions), 2.0 * r + c + outputs - 2.0),
        };
        let step = Step {
            compute: each,
            inputs: 0.0,
            weights: 0.0,
        };
        let mut tally = Tally::default();
        tally.add(layer.groups as f64 * folds, &[(step, 1.0)], 0.0);
        Ok(tally.cycles(layer.uses as f64, 0.0, 0.0))
    }
}
