//! How tasks are learned by growth.

use std::sync::Arc;

use burgeon_core::Selector;
use burgeon_core::criterion::Firefly;
use burgeon_core::select::{Fraction, TopK};
use burgeon_train::{GrowerConfig, GrowthConfig, GrowthStep};

use crate::criterion::{OldNeuron, TaskGrowth};
use crate::error::ContinualError;
use crate::reuse::Reuse;
use crate::training::Training;

/// How tasks are learned by growth.
#[derive(Debug, Clone)]
pub struct GrownConfig {
    /// How each task is trained; its epochs are those of a task, growth or not.
    pub training: Training,
    /// Own neurons of each hidden layer that a task begins with.
    pub start: Vec<usize>,
    /// Which old neurons are reused.
    pub reuse: Reuse,
    /// Copies of old neurons that are tried for each hidden layer at each growth.
    pub copies: usize,
    /// What tries splits and new neurons.
    pub firefly: Firefly,
    /// What chooses among all candidates.
    pub selector: Arc<dyn Selector>,
    /// How a growth step is made.
    pub growth: GrowthConfig,
    /// Epochs before the first growth, and after each.
    pub phase_epochs: usize,
    /// Growths of a task at most.
    pub max_growths: usize,
    /// The share of a task's epochs, from 0 to 1, in which every growth's phase must end.
    pub until: f64,
    /// Held accuracy, from 0 to 1, that a task needs no growth beyond.
    pub enough: f64,
    /// The relative decrease of the held loss that a growth must bring within its phase; it is
    /// undone else, and the task grows no further.
    pub least_gain: f64,
}

impl GrownConfig {
    /// From so many own neurons, by firefly with 16 new neurons and 16 copies a layer, up to three
    /// growths by half of the own neurons within the first 60 % of the epochs, where each lowers the
    /// held loss by 2 % or more.
    ///
    /// # Errors
    /// [`ContinualError`] for settings out of range.
    pub fn new(training: Training, start: Vec<usize>) -> Result<Self, ContinualError> {
        let config = Self {
            phase_epochs: (training.epochs / 8).max(1),
            training,
            start,
            reuse: Reuse::default(),
            copies: 16,
            firefly: Firefly::new().with_new_neurons(16)?,
            selector: Arc::new(Fraction::new(0.5)?),
            growth: GrowthConfig {
                capture_samples: 1024,
                ..GrowthConfig::default()
            },
            max_growths: 3,
            until: 0.6,
            enough: 1.0,
            least_gain: 0.02,
        };
        config.check()?;
        Ok(config)
    }

    /// Without anything of other tasks: no reused neuron and no copy.
    #[must_use]
    pub fn without_reuse(mut self) -> Self {
        self.reuse = Reuse::NONE;
        self.copies = 0;
        self
    }

    /// # Errors
    /// [`ContinualError`] that says what is out of range.
    pub fn check(&self) -> Result<(), ContinualError> {
        self.training.check()?;
        self.reuse.check()?;
        self.growth.check()?;
        let refused = |problem: String| Err(ContinualError::Settings(problem));
        if self.phase_epochs == 0 {
            return refused("a phase of 0 epochs: it needs at least 1".into());
        }
        if self.reuse.share > 0.0 && self.reuse.epochs >= self.training.epochs {
            return refused(format!(
                "{} epochs before reused neurons are ranked leave nothing of {}: give a task more",
                self.reuse.epochs, self.training.epochs
            ));
        }
        for (what, share) in [("until", self.until), ("enough", self.enough)] {
            if !(0.0..=1.0).contains(&share) {
                return refused(format!("`{what}` is {share}: it must be between 0 and 1"));
            }
        }
        if !(0.0..1.0).contains(&self.least_gain) {
            return refused(format!(
                "a least gain of {}: it must be at least 0 and below 1",
                self.least_gain
            ));
        }
        Ok(())
    }

    /// The step at which a column grows that may have copies of `old`.
    pub(crate) fn step(
        &self,
        old: Vec<OldNeuron>,
        seed: u64,
    ) -> Result<GrowthStep, ContinualError> {
        let criterion = TaskGrowth::new(self.firefly, old);
        let mut config = GrowerConfig::new(criterion, TopK::new(1)?).with_seed(seed);
        config.selector = self.selector.clone();
        config.growth = self.growth.clone();
        Ok(GrowthStep::of(&config))
    }
}
