//! How a task is trained, alike for all learners.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_nn::{Growable, Objective, Source};
use burgeon_train::{PlateauState, RateSchedule, RunProgress, TrainConfig, Trainer};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use serde::{Deserialize, Serialize};

use crate::error::ContinualError;
use crate::streams::stream;

/// How a task is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Epochs of each task, whatever they are spent on.
    pub epochs: usize,
    /// Samples in a batch.
    pub batch_size: usize,
    /// The learning rate over the epochs of a task.
    pub learning_rate: RateSchedule,
    /// AdamW's weight decay.
    pub weight_decay: f32,
    /// Whether training runs in bfloat16 (`burgeon_train::TrainConfig::mixed_precision`).
    pub mixed_precision: bool,
    /// Fixes everything: initial weights, the order of samples, draws of growth.
    pub seed: u64,
}

impl Training {
    /// So many epochs in batches of 64, at a rate that is held for 60 % of them and falls to 0
    /// along half a cosine, by AdamW with its usual decay of 1e-4.
    ///
    /// # Errors
    /// [`ContinualError`] for no epoch, or a rate that is no number.
    pub fn new(epochs: usize, rate: f64) -> Result<Self, ContinualError> {
        let training = Self {
            epochs,
            batch_size: 64,
            learning_rate: RateSchedule::stable_then_decay(rate)?,
            weight_decay: 1e-4,
            mixed_precision: false,
            seed: 0,
        };
        training.check()?;
        Ok(training)
    }

    /// With another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// # Errors
    /// [`ContinualError::Settings`] that says what is out of range.
    pub fn check(&self) -> Result<(), ContinualError> {
        if self.epochs == 0 || self.batch_size == 0 {
            return Err(ContinualError::Settings(format!(
                "{} epochs in batches of {}: both must be at least 1",
                self.epochs, self.batch_size
            )));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(ContinualError::Settings(format!(
                "a weight decay of {}: it must be a number, and not negative",
                self.weight_decay
            )));
        }
        Ok(())
    }

    /// A fresh optimizer.
    pub(crate) fn optimizer(&self) -> ModuleOptimizer {
        AdamWConfig::new()
            .with_weight_decay(self.weight_decay)
            .init()
    }

    /// The seed of task number `task`.
    pub(crate) fn task_seed(&self, task: usize) -> u64 {
        stream(self.seed, "task", task)
    }
}

/// The epochs of one task, as they are spent.
pub(crate) struct Epochs<'a> {
    training: &'a Training,
    trainer: Trainer,
    spent: usize,
}

impl<'a> Epochs<'a> {
    /// None spent yet, of the task with this seed.
    pub fn new(
        training: &'a Training,
        seed: u64,
        interrupt: &Arc<AtomicBool>,
    ) -> Result<Self, ContinualError> {
        training.check()?;
        let config = TrainConfig {
            batch_size: training.batch_size,
            learning_rate: training.learning_rate.clone(),
            mixed_precision: training.mixed_precision,
            // Nothing here draws in its forward pass, and several runs may share the generator.
            seeds_device: false,
            seed,
            ..TrainConfig::default()
        };
        Ok(Self {
            training,
            trainer: Trainer::new(config)?.interrupt_by(interrupt.clone()),
            spent: 0,
        })
    }

    /// Epochs spent.
    pub fn spent(&self) -> usize {
        self.spent
    }

    /// Epochs left.
    pub fn left(&self) -> usize {
        self.training.epochs - self.spent
    }

    /// Trains `count` epochs, or as many as are left.
    ///
    /// # Errors
    /// [`ContinualError::Interrupted`], or as [`Trainer::epoch`].
    pub fn train<M: Growable>(
        &mut self,
        model: &mut M,
        optimizer: &mut ModuleOptimizer,
        objective: &dyn Objective,
        source: &dyn Source<M::Input>,
        count: usize,
    ) -> Result<(), ContinualError> {
        for _ in 0..count.min(self.left()) {
            let progress = RunProgress {
                epoch: self.spent,
                growths: 0,
                phase_epoch: self.spent,
                spent: self.spent as f64 / self.training.epochs as f64,
            };
            let schedule = &self.training.learning_rate;
            let rate = schedule.rate(&progress, &PlateauState::default());
            let epoch = self.spent + 1;
            let loss = self
                .trainer
                .epoch(model, optimizer, objective, source, epoch, rate)?;
            if loss.is_none() {
                return Err(ContinualError::Interrupted);
            }
            self.spent = epoch;
        }
        Ok(())
    }
}

/// A forward and a backward pass, in forward passes.
pub(crate) const TRAINING_PASS: u64 = 3;

/// Multiply-accumulates of training on so many samples for so many epochs, a forward pass taking
/// `forward` for each.
pub(crate) fn training_macs(forward: u64, samples: usize, epochs: usize) -> u64 {
    let passes = TRAINING_PASS.saturating_mul(samples as u64);
    forward.saturating_mul(passes.saturating_mul(epochs as u64))
}
