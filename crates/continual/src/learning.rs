//! A task that is being learned.

use burgeon_core::{Growth, Plan};
use burgeon_nn::growable::{Evaluation, evaluate};
use burgeon_nn::{CrossEntropy, Samples};
use burn::optim::ModuleOptimizer;

use crate::architecture::Architecture;
use crate::column::Column;
use crate::config::GrownConfig;
use crate::criterion::OldNeuron;
use crate::error::ContinualError;
use crate::given::Given;
use crate::mask::Mask;
use crate::network::column_macs;
use crate::record::TaskRecord;
use crate::streams::stream;
use crate::training::{Epochs, training_macs};

/// A task that is being learned.
pub(crate) struct Learning {
    pub column: Column,
    pub optimizer: ModuleOptimizer,
    pub mask: Mask,
    pub train: Samples<Given>,
    pub held: Samples<Given>,
    /// Multiply-accumulates of the column for one sample.
    pub forward: u64,
    pub record: TaskRecord,
}

impl Learning {
    pub fn train(&mut self, epochs: &mut Epochs<'_>, count: usize) -> Result<(), ContinualError> {
        let before = epochs.spent();
        let (column, optimizer) = (&mut self.column, &mut self.optimizer);
        epochs.train(column, optimizer, &CrossEntropy, &self.train, count)?;
        let spent = epochs.spent() - before;
        self.spend(training_macs(self.forward, self.train.len(), spent));
        Ok(())
    }

    pub fn held_out(&mut self, batch_size: usize) -> Result<Evaluation, ContinualError> {
        self.spend(self.forward.saturating_mul(self.held.len() as u64));
        Ok(evaluate(
            &self.column,
            &CrossEntropy,
            &self.held,
            batch_size,
        )?)
    }

    fn spend(&mut self, macs: u64) {
        self.record.macs = self.record.macs.saturating_add(macs);
    }

    /// Keeps the old neurons that help most, and forgets about the others.
    pub fn choose(
        &mut self,
        architecture: &Architecture,
        config: &GrownConfig,
        seed: u64,
    ) -> Result<(), ContinualError> {
        let reuse = &config.reuse;
        let sample = self.train.sample(reuse.samples, stream(seed, "reuse", 0));
        let batch_size = config.training.batch_size;
        let decreases = reuse.decreases(&self.column, &CrossEntropy, &sample, batch_size)?;
        self.spend(training_macs(self.forward, sample.len(), reuse.points));
        let kept = reuse.chosen(&decreases);
        self.mask = self.mask.keeping(&kept);
        self.column = self.column.clone().keeping(architecture, &kept);
        self.optimizer = config.training.optimizer();
        for samples in [&mut self.train, &mut self.held] {
            *samples = samples.with_inputs(samples.inputs().keeping(&kept), |values| values)?;
        }
        self.forward = column_macs(&self.column, &self.train)?;
        Ok(())
    }

    /// Counts what a growth that is kept brought.
    pub fn count(&mut self, plan: &Plan, old: &[OldNeuron]) {
        self.record.growths += 1;
        for growth in plan.growths() {
            match growth {
                Growth::Split(split) => self.record.splits += split.offspring.len() - 1,
                Growth::NewNeuron(new) if old.iter().any(|old| old.fan_in == new.fan_in) => {
                    self.record.copies += 1;
                }
                Growth::NewNeuron(_) => self.record.new_neurons += 1,
                _ => {}
            }
        }
    }
}
