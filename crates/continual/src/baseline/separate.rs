//! A network for each task.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::{CrossEntropy, Growable};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::multi_head::MultiHead;
use crate::architecture::Architecture;
use crate::error::ContinualError;
use crate::layer::plain;
use crate::learner::{Learner, Predictor};
use crate::streams::stream;
use crate::task::{ContinualTask, check_images};
use crate::training::{Epochs, Training, training_macs};

/// A network of fixed widths for each task, none of which knows of the others.
#[derive(Debug)]
pub struct Separate {
    architecture: Architecture,
    widths: Vec<usize>,
    training: Training,
    device: Device,
    nets: Vec<MultiHead>,
    macs: u64,
    interrupt: Arc<AtomicBool>,
}

impl Separate {
    /// Networks of `widths` on the plain `device`.
    ///
    /// # Errors
    /// [`ContinualError`] for settings out of range, or widths that do not fit.
    pub fn new(
        architecture: Architecture,
        widths: &[usize],
        training: Training,
        device: &Device,
    ) -> Result<Self, ContinualError> {
        training.check()?;
        architecture.check_widths(widths)?;
        Ok(Self {
            architecture,
            widths: widths.to_vec(),
            training,
            device: device.clone(),
            nets: Vec::new(),
            macs: 0,
            interrupt: Arc::default(),
        })
    }

    /// Ends learning early once `interrupt` is set.
    #[must_use]
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.interrupt = interrupt;
        self
    }
}

impl Predictor for Separate {
    fn tasks(&self) -> usize {
        self.nets.len()
    }

    fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError> {
        let learned = self.nets.len();
        let net = self
            .nets
            .get(task)
            .ok_or(ContinualError::UnknownTask { task, learned })?;
        check_images(images, self.architecture.input(), || "the batch".to_owned())?;
        Ok(net.predict(plain(images.clone())))
    }

    fn parameters(&self) -> u64 {
        self.nets.iter().map(parameter_count).sum()
    }

    fn training_macs(&self) -> u64 {
        self.macs
    }
}

impl Learner for Separate {
    fn name(&self) -> &str {
        "separate networks"
    }

    fn learn(&mut self, task: &ContinualTask) -> Result<(), ContinualError> {
        task.check_input(self.architecture.input())?;
        let seed = self.training.task_seed(self.nets.len());
        let device = self.device.clone().autodiff();
        let weights = stream(seed, "weights", 0);
        let net = MultiHead::new(&self.architecture, &self.widths, weights, &device)?;
        let head = stream(seed, "head", 0);
        let net = net.with_head(&self.architecture, task.classes(), head, &device);
        let mut net = net.answering(0)?;
        let forward = Macs.cost(&layer_shapes(&net, task.train())?);
        let mut optimizer = self.training.optimizer();
        let mut epochs = Epochs::new(&self.training, seed, &self.interrupt)?;
        let all = epochs.left();
        epochs.train(&mut net, &mut optimizer, &CrossEntropy, task.train(), all)?;
        let macs = training_macs(forward, task.train().len(), all);
        self.macs = self.macs.saturating_add(macs);
        self.nets.push(net.valid());
        Ok(())
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}
