//! Learning tasks by growth.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::SplitBackend;
use burgeon_nn::hash::samples_hash;
use burgeon_nn::samples::order::shuffled;
use burgeon_nn::surgery::carry_optimizer;
use burgeon_nn::{CrossEntropy, trace};
use burgeon_train::{GrowthStep, Made, Subject};
use burn::tensor::Tensor;

use crate::architecture::Architecture;
use crate::checkpoint::Checkpoint;
use crate::column::Column;
use crate::config::GrownConfig;
use crate::criterion::OldNeuron;
use crate::error::ContinualError;
use crate::learner::{Learner, Predictor};
use crate::learning::Learning;
use crate::mask::Mask;
use crate::network::{ColumnNetwork, column_macs};
use crate::record::{LearnedTask, TaskRecord};
use crate::streams::stream;
use crate::task::ContinualTask;
use crate::training::Epochs;

/// Images of a pass in which the answers of old neurons are found.
const BATCH: usize = 256;

/// Learns tasks by growth: each has a [`Column`] of its own, which reuses the old neurons that its
/// mask chooses, and grows by splits, new neurons and trained copies of old neurons only while it
/// needs them (firefly descent, arXiv 2102.08574; the paper's section on continual learning gives
/// masks, re-used and copied neurons; how they are put together here is this project's).
#[derive(Debug)]
pub struct GrownLearner {
    config: GrownConfig,
    backend: Arc<dyn SplitBackend>,
    network: ColumnNetwork,
    learned: Vec<LearnedTask>,
    checkpoint: Option<Checkpoint>,
    interrupt: Arc<AtomicBool>,
}

impl GrownLearner {
    /// A learner that knows nothing yet.
    ///
    /// # Errors
    /// [`ContinualError`] for settings out of range, or that do not fit the architecture.
    pub fn new(
        architecture: Architecture,
        config: GrownConfig,
        backend: Arc<dyn SplitBackend>,
    ) -> Result<Self, ContinualError> {
        config.check()?;
        architecture.check_widths(&config.start)?;
        Ok(Self {
            network: ColumnNetwork::new(architecture),
            config,
            backend,
            learned: Vec::new(),
            checkpoint: None,
            interrupt: Arc::default(),
        })
    }

    /// Ends learning early once `interrupt` is set; the tasks learned before stay.
    #[must_use]
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Keeps what is learned in the file `path` after each task. If the file is there already, goes
    /// on behind its last task, to the same result as if nothing had stopped.
    ///
    /// # Errors
    /// [`ContinualError::Nn`] if the file cannot be read, is damaged, or was begun with other
    /// settings, with what differs.
    pub fn checkpoint_at(mut self, path: impl Into<PathBuf>) -> Result<Self, ContinualError> {
        let identity = format!("{:?}", self.config);
        let checkpoint = Checkpoint::new(path.into(), identity);
        let device = self.backend.device();
        if let Some((network, learned)) = checkpoint.load(self.network.architecture(), &device)? {
            (self.network, self.learned) = (network, learned);
        }
        self.checkpoint = Some(checkpoint);
        Ok(self)
    }

    /// The file in which it keeps what is learned.
    pub fn checkpoint_path(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(Checkpoint::path)
    }

    /// The columns.
    pub fn network(&self) -> &ColumnNetwork {
        &self.network
    }

    /// How each task was learned.
    pub fn records(&self) -> impl Iterator<Item = &TaskRecord> {
        self.learned.iter().map(|learned| &learned.record)
    }

    /// Copies of old neurons that a column that reads `mask` may have.
    fn old_neurons(&self, column: &Column, mask: &Mask, seed: u64) -> Vec<OldNeuron> {
        let (own, columns) = (column.widths(), self.network.widths());
        let mut old = Vec::new();
        for layer in 0..own.len() {
            let before = layer.checked_sub(1).map_or(0, |before| own[before]);
            let all: Vec<(usize, usize)> = columns
                .iter()
                .enumerate()
                .flat_map(|(task, widths)| (0..widths[layer]).map(move |neuron| (task, neuron)))
                .collect();
            let order = shuffled(all.len(), stream(seed, "copies", layer));
            let drawn = order.into_iter().filter_map(|index| {
                let fan_in = self
                    .network
                    .copied_fan_in(layer, all[index], mask, before)?;
                Some(OldNeuron { layer, fan_in })
            });
            old.extend(drawn.take(self.config.copies));
        }
        old
    }

    /// What is learned of `task` by its column.
    fn grown(&self, task: &ContinualTask) -> Result<Learning, ContinualError> {
        let config = &self.config;
        let (number, architecture) = (self.network.tasks(), self.network.architecture());
        let seed = config.training.task_seed(number);
        let mut learning = self.begun(task, seed)?;
        let mut epochs = Epochs::new(&config.training, seed, &self.interrupt)?;
        if !learning.mask.is_empty() {
            learning.train(&mut epochs, config.reuse.epochs)?;
            learning.choose(architecture, config, seed)?;
        }
        learning.train(&mut epochs, config.phase_epochs)?;
        learning.record.ended = self.grow(&mut learning, &mut epochs, seed)?;
        let left = epochs.left();
        learning.train(&mut epochs, left)?;
        learning.record.widths = learning.column.widths();
        learning.record.reused = learning.mask.len();
        Ok(learning)
    }

    /// A column that reads all old neurons, with what it is learned on.
    fn begun(&self, task: &ContinualTask, seed: u64) -> Result<Learning, ContinualError> {
        let (config, network) = (&self.config, &self.network);
        let layers = network.architecture().layers().len();
        let mask = match config.reuse.share > 0.0 {
            true => Mask::all(&network.widths(), layers),
            false => Mask::none(layers),
        };
        let train = network.given_samples(task.train(), &mask, BATCH)?;
        let held = network.given_samples(task.held(), &mask, BATCH)?;
        let passes = (train.len() + held.len()) as u64;
        let reused: Vec<usize> = mask.layers().iter().map(Vec::len).collect();
        let column = Column::new(
            network.architecture(),
            &config.start,
            &reused,
            task.classes(),
            stream(seed, "weights", 0),
            &self.backend.device().autodiff(),
        );
        Ok(Learning {
            forward: column_macs(&column, &train)?,
            optimizer: config.training.optimizer(),
            record: TaskRecord {
                task: task.name().to_owned(),
                old: mask.len(),
                macs: network.given_macs(&mask).saturating_mul(passes),
                ..TaskRecord::default()
            },
            column,
            mask,
            train,
            held,
        })
    }

    /// Grows while it helps; says why it ended.
    fn grow(
        &self,
        learning: &mut Learning,
        epochs: &mut Epochs<'_>,
        seed: u64,
    ) -> Result<String, ContinualError> {
        let config = &self.config;
        let last = config.until * config.training.epochs as f64;
        let mut held = learning.held_out(config.training.batch_size)?;
        for number in 1..=config.max_growths {
            if held
                .accuracy
                .is_some_and(|accuracy| accuracy >= config.enough)
            {
                return Ok(format!(
                    "held accuracy {:.4}",
                    held.accuracy.unwrap_or_default()
                ));
            }
            if (epochs.spent() + config.phase_epochs) as f64 > last {
                return Ok("no epoch left to grow in".into());
            }
            let growth_seed = stream(seed, "growth", number);
            let old = self.old_neurons(&learning.column, &learning.mask, growth_seed);
            let step = config.step(old.clone(), growth_seed)?;
            let made = self.made(learning, &step, number)?;
            let record = made.record;
            learning.record.macs = learning.record.macs.saturating_add(record.macs);
            let Some((grown, edits)) = made.grown else {
                return Ok(format!("growth refused: {}", record.verdict));
            };
            let optimizer = carry_optimizer(learning.optimizer.clone(), &edits)?;
            let before = (
                std::mem::replace(&mut learning.column, grown),
                std::mem::replace(&mut learning.optimizer, optimizer),
                std::mem::replace(&mut learning.forward, 0),
            );
            learning.forward = column_macs(&learning.column, &learning.train)?;
            learning.train(epochs, config.phase_epochs)?;
            let after = learning.held_out(config.training.batch_size)?;
            if after.loss > held.loss * (1.0 - config.least_gain) {
                (learning.column, learning.optimizer, learning.forward) = before;
                return Ok(format!("growth {number} gained too little, and was undone"));
            }
            learning.count(&record.plan, &old);
            held = after;
        }
        Ok("all growths made".into())
    }

    fn made(
        &self,
        learning: &Learning,
        step: &GrowthStep,
        number: usize,
    ) -> Result<Made<Column>, ContinualError> {
        let subject = Subject {
            model: &learning.column,
            trace: trace(&learning.column, &learning.train)?.into(),
            objective: &CrossEntropy,
            train: &learning.train,
            held: &learning.held,
            batch_size: self.config.training.batch_size,
            backend: self.backend.as_ref(),
        };
        Ok(step.run(&subject, number)?)
    }
}

impl Predictor for GrownLearner {
    fn tasks(&self) -> usize {
        self.network.tasks()
    }

    fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError> {
        self.network.predict(task, images)
    }

    fn parameters(&self) -> u64 {
        self.network.parameters()
    }

    fn training_macs(&self) -> u64 {
        self.records().map(|record| record.macs).sum()
    }
}

impl Learner for GrownLearner {
    fn name(&self) -> &str {
        "grown"
    }

    fn learn(&mut self, task: &ContinualTask) -> Result<(), ContinualError> {
        task.check_input(self.network.architecture().input())?;
        let learning = self.grown(task)?;
        let learned = LearnedTask {
            samples: samples_hash(task.train()),
            record: learning.record,
        };
        let mut network = self.network.clone();
        network.freeze(&learning.column, learning.mask, learning.forward);
        let mut all = self.learned.clone();
        all.push(learned);
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.save(&network, &all)?;
        }
        (self.network, self.learned) = (network, all);
        Ok(())
    }

    fn keeps_outputs(&self) -> bool {
        true
    }

    fn recognise(&self, number: usize, task: &ContinualTask) -> Result<(), ContinualError> {
        let known = self.learned.get(number);
        match known.is_some_and(|known| known.samples == samples_hash(task.train())) {
            true => Ok(()),
            false => Err(ContinualError::OtherTask {
                task: number,
                name: task.name().to_owned(),
            }),
        }
    }
}
