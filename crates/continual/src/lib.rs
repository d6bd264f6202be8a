//! Continual learning by growth: tasks are learned one after the other, and what was learned stays
//! as it was, bit for bit.
//!
//! A [`GrownLearner`] gives each task a [`Column`] of neurons. It reads old neurons, which are
//! frozen, through the task's [`Mask`], and no old neuron reads a new one: outputs for old tasks
//! cannot change. A column is an ordinary Burn model, [`Growable`](burgeon_nn::Growable) as any,
//! with what old neurons answer as part of its input; so only its own neurons grow. Which old
//! neurons are reused, and whether a column grows by splits, new neurons or trained copies of old
//! ones, is ranked by what each takes off the loss (firefly descent, arXiv 2102.08574); a growth
//! that does not lower the held loss is undone.
//!
//! [`baseline`] has what this is compared with: fine-tuning, elastic weight consolidation, separate
//! networks, and all tasks at once. [`learn_sequence`] runs a [`Learner`] and finds the
//! [`AccuracyMatrix`], with average accuracy and forgetting.
//!
//! ```
//! use std::sync::Arc;
//!
//! use burgeon_backend_flex::FLEX;
//! use burgeon_continual::{
//!     Architecture, ContinualTask, GrownConfig, GrownLearner, Predictor, Training, learn_sequence,
//!     of_classes,
//! };
//! use burgeon_core::SplitBackend;
//! use burgeon_data::optdigits;
//! use burn::tensor::{Tensor, TensorData};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Handwritten digits, two of them at a time.
//! let device = FLEX.device();
//! let digits = optdigits::load()?;
//! let images = |set: &burgeon_data::Images| {
//!     let data = TensorData::new(set.pixels.clone(), [set.len(), 1, 8, 8]);
//!     Tensor::<4>::from_data(data, &device)
//! };
//! let (train, test) = (images(&digits.train), images(&digits.test));
//! let mut tasks = Vec::new();
//! for pair in [[0, 1], [2, 3]] {
//!     let name = format!("{} or {}", pair[0], pair[1]);
//!     let learned = of_classes(&name, "training", &train, &digits.train.labels, &pair, 100)?;
//!     let (learned, held) = learned.split_off(0.2, 7)?;
//!     let judged = of_classes(&name, "test", &test, &digits.test.labels, &pair, 100)?;
//!     tasks.push(ContinualTask::new(name, 2, learned, held, judged)?);
//! }
//!
//! let config = GrownConfig::new(Training::new(8, 0.01)?, vec![3])?;
//! let architecture = Architecture::dense([1, 8, 8], 1)?;
//! let mut learner = GrownLearner::new(architecture, config, Arc::new(FLEX))?;
//! let matrix = learn_sequence(&mut learner, &tasks, &mut |_, _| {})?;
//! assert!(matrix.average_accuracy() > Some(0.9));
//! assert_eq!(matrix.forgetting(), Some(0.0));
//! println!("{} parameters, {:?}", learner.parameters(), learner.network().mask(1)?);
//! # Ok(())
//! # }
//! ```

mod architecture;
pub mod baseline;
mod checkpoint;
mod column;
mod config;
mod criterion;
mod error;
mod given;
mod grown;
mod layer;
mod learner;
mod learning;
mod mask;
mod metrics;
mod network;
mod record;
mod reuse;
mod streams;
mod task;
#[cfg(test)]
mod tests;
mod training;

pub use architecture::{Architecture, LayerKind};
pub use column::Column;
pub use config::GrownConfig;
pub use error::ContinualError;
pub use given::Given;
pub use grown::GrownLearner;
pub use layer::HiddenLayer;
pub use learner::{Learner, Predictor, accuracy, learn_sequence};
pub use mask::{Mask, NeuronId};
pub use metrics::AccuracyMatrix;
pub use network::ColumnNetwork;
pub use record::TaskRecord;
pub use reuse::Reuse;
pub use task::{ContinualTask, of_classes, permuted};
pub use training::Training;
