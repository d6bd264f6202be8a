//! Ways of coming to a network of a given size.

use std::sync::Arc;

use burgeon_core::criterion::{
    Firefly, GradMax, Net2Net, RandomNeuron, RandomSplit, Refinement, SignedSteepestDescent,
    SteepestDescent, Tiny,
};
use burgeon_core::{CoreError, Criterion, WeightBound};

use super::super::images::RANDOM_STEP;
use super::bench::Bench;
use crate::error::ExperimentError;

/// `Σ|w_i|` of S3D at most.
const BOUND: f64 = 3.0;

/// The learning rate at which firefly's candidates are optimised: ten times the paper's, because
/// one pass over the captured samples is 8 steps here and 390 there.
const CANDIDATE_RATE: f64 = 0.01;

/// One way, a row of the tables.
#[derive(Debug)]
pub(super) struct Arm {
    /// Its name in units.
    pub name: &'static str,
    /// What a reader calls it.
    pub label: &'static str,
    /// The learning rates chosen on held samples of other seeds (`methods-rates`): of the MLP and
    /// of the convolutional net on digits, and on Fashion-MNIST.
    rates: [f64; 3],
    pub way: Way,
}

/// How a network comes to its size.
#[derive(Debug)]
pub(super) enum Way {
    /// It has the target widths from the start.
    Scratch,
    /// It has the widths from the start that firefly finds where it chooses between layers.
    ScratchFound,
    /// It keeps the widths from which others grow.
    SameStart,
    /// It grows.
    Grown(Growing),
}

/// What proposes growths, and how they are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growing {
    pub criterion: fn(&Bench) -> Result<Arc<dyn Criterion>, CoreError>,
    pub step: Step,
    pub layers: Layers,
}

/// How far growths go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The step of least loss on the captured samples.
    Search,
    /// A fixed one, whatever becomes of the loss.
    Fixed,
}

/// What grows how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layers {
    /// All layers by the same factor.
    Together,
    /// As the criterion ranks all neurons.
    Ranked,
}

type Make = fn(&Bench) -> Result<Arc<dyn Criterion>, CoreError>;

impl Arm {
    const fn new(name: &'static str, label: &'static str, rates: [f64; 3], way: Way) -> Self {
        Self {
            name,
            label,
            rates,
            way,
        }
    }

    /// Grown by a criterion whose step is searched for (or that needs none).
    const fn searched(
        name: &'static str,
        label: &'static str,
        rates: [f64; 3],
        criterion: Make,
    ) -> Self {
        Self::new(
            name,
            label,
            rates,
            Way::Grown(Growing {
                criterion,
                step: Step::Search,
                layers: Layers::Together,
            }),
        )
    }

    /// Grown by a criterion without a direction of descent.
    const fn undirected(
        name: &'static str,
        label: &'static str,
        rates: [f64; 3],
        criterion: Make,
    ) -> Self {
        Self::new(
            name,
            label,
            rates,
            Way::Grown(Growing {
                criterion,
                step: Step::Fixed,
                layers: Layers::Together,
            }),
        )
    }

    /// The learning rate that was chosen for it on `bench`.
    pub fn rate(&self, bench: &Bench) -> f64 {
        let index = match bench.name {
            "mlp" => 0,
            "conv" => 1,
            _ => 2,
        };
        self.rates[index]
    }

    /// The way of that name.
    ///
    /// # Errors
    /// [`ExperimentError::Settings`] for a name that is none.
    pub fn named(name: &str) -> Result<&'static Self, ExperimentError> {
        let found = ARMS.iter().find(|arm| arm.name == name);
        found.ok_or_else(|| ExperimentError::Settings(format!("`{name}` is no way of growing")))
    }
}

/// Firefly where it chooses between layers too, which may become three times as wide each.
pub(super) const RANKED: Growing = Growing {
    criterion: |bench| firefly(Firefly::new().with_new_neurons(bench.target / 2)?),
    step: Step::Search,
    layers: Layers::Ranked,
};

/// All ways, in the order of the tables; the first is what the others are compared with.
#[rustfmt::skip]
pub(super) const ARMS: &[Arm] = &[
    Arm::new("scratch", "from scratch, target widths", [0.04, 0.02, 0.01], Way::Scratch),
    Arm::new("found", "from scratch, widths found by firefly over all layers", [0.04, 0.02, 0.01], Way::ScratchFound),
    Arm::new("start", "same start, never grown", [0.08, 0.02, 0.01], Way::SameStart),
    Arm::searched("s2d", "S2D", [0.02, 0.02, 0.01], |_| Ok(Arc::new(SteepestDescent))),
    Arm::searched("s3d", "S3D (c = 3)", [0.08, 0.02, 0.01], |_| Ok(Arc::new(SignedSteepestDescent::new(WeightBound::new(BOUND)?)))),
    Arm::searched("ffsplit", "firefly, splits", [0.08, 0.02, 0.01], |_| firefly(Firefly::splits())),
    Arm::searched("ffnew", "firefly, new neurons", [0.04, 0.02, 0.01], |bench| firefly(Firefly::new_neurons().with_new_neurons(bench.target)?)),
    Arm::searched("firefly", "firefly, splits and new neurons", [0.04, 0.02, 0.01], |bench| firefly(Firefly::new().with_new_neurons(bench.target / 2)?)),
    Arm::new("ranked", "firefly over all layers", [0.02, 0.02, 0.01], Way::Grown(RANKED)),
    Arm::searched("gradmax", "GradMax", [0.04, 0.02, 0.01], |_| Ok(Arc::new(GradMax::new()))),
    Arm::searched("tiny", "TINY", [0.04, 0.02, 0.01], |_| Ok(Arc::new(Tiny::new()))),
    Arm::searched("new", "random new neurons (zero fan-out)", [0.04, 0.02, 0.01], |_| Ok(Arc::new(RandomNeuron::zero_fan_out()))),
    Arm::undirected("split", "random splits", [0.02, 0.02, 0.01], |_| Ok(Arc::new(RandomSplit))),
    Arm::undirected("net2net", "Net2Net", [0.02, 0.02, 0.01], |_| Ok(Arc::new(Net2Net))),
];

/// Firefly with its candidates optimised in one pass over the captured samples.
fn firefly(way: Firefly) -> Result<Arc<dyn Criterion>, CoreError> {
    let refinement = Refinement::PAPER.with_learning_rate(CANDIDATE_RATE)?;
    Ok(Arc::new(way.with_refinement(refinement)))
}

/// What results depend on besides the bench, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({
        "bound of S3D": BOUND,
        "step of undirected growth": RANDOM_STEP,
        "rate of firefly's candidates": CANDIDATE_RATE,
    })
}
