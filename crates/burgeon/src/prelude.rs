//! What most programs that grow a network import: `use burgeon::prelude::*;`.
//!
//! No name here is also one of `burn::prelude`, `burn::nn` or `burn::optim`, so that all of them
//! can be imported whole in one file:
//!
//! ```
//! use burgeon::prelude::*;
//! use burn::optim::*;
//! use burn::prelude::*;
//!
//! // Burn's rate is a number, this project's a schedule of them.
//! let rate: LearningRate = 0.01;
//! let schedule = RateSchedule::stable_then_decay(rate)?;
//! # let _ = schedule;
//! # Ok::<(), NnError>(())
//! ```

// Where growing looks, and what it chooses.
pub use burgeon_core::SplitBackend;
pub use burgeon_core::cost::{CostModel, Macs, Parameters};
pub use burgeon_core::criterion::{
    Criterion, Firefly, GradMax, Net2Net, RandomNeuron, RandomSplit, SignedSteepestDescent,
    SteepestDescent, Tiny,
};
pub use burgeon_core::plan::Plan;
pub use burgeon_core::scheme::WeightBound;
pub use burgeon_core::select::{Fraction, LinearProgramme, PerLayer, Selector, Threshold, TopK};

// Models, samples and objectives.
pub use burgeon_nn::growable::evaluate;
pub use burgeon_nn::stack::{ResidualConv2d, ResidualLinear, parameters_of};
pub use burgeon_nn::weights::{load_weights, save_weights};
pub use burgeon_nn::{
    Block, CrossEntropy, Evaluation, Growable, MeanSquaredError, NnError, Objective, Samples,
    Source, SpectrumConfig, Stack, Stacks, Targets, WeightedCrossEntropy, trace,
};

// Growing and training.
pub use burgeon_train::observer::Progress;
pub use burgeon_train::{
    Budget, Grower, GrowerConfig, GrowthConfig, GrowthStep, RateSchedule, Schedule, StepSize, Task,
    TrainConfig, Trainer, Trigger,
};
