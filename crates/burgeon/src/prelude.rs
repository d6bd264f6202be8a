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
//! // Burn's rate is a number, this project's a course of them.
//! let rate: LearningRate = 0.01;
//! let course = LearningRateSchedule::Constant(rate);
//! # let _ = course;
//! ```

// Where growing looks, and what it chooses.
pub use burgeon_core::SplitBackend;
pub use burgeon_core::cost::{CostModel, Macs, Parameters};
pub use burgeon_core::criterion::{
    Criterion, Net2Net, RandomSplit, SignedSteepestDescent, SteepestDescent,
};
pub use burgeon_core::plan::Plan;
pub use burgeon_core::scheme::WeightBound;
pub use burgeon_core::select::{Fraction, LinearProgramme, Selector, Threshold, TopK};

// Models, samples and objectives.
pub use burgeon_nn::growable::evaluate;
pub use burgeon_nn::weights::{load_weights, save_weights};
pub use burgeon_nn::{
    CrossEntropy, Evaluation, Growable, MeanSquaredError, NnError, Objective, Samples,
    SpectrumConfig, Targets, WeightedCrossEntropy, trace,
};

// Growing and training.
/// The learning rate over a run; `burn::optim::LearningRate` is a single one.
pub use burgeon_nn::LearningRate as LearningRateSchedule;
pub use burgeon_nn::observer::Progress;
pub use burgeon_nn::{Grower, GrowerConfig, StepSize, Task, Trigger};
