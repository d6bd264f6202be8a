//! One network for all tasks, trained on one after the other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::{CrossEntropy, Growable};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::consolidation::{Consolidation, fisher_diagonal};
use super::multi_head::MultiHead;
use crate::architecture::Architecture;
use crate::error::ContinualError;
use crate::layer::plain;
use crate::learner::{Learner, Predictor};
use crate::streams::stream;
use crate::task::{ContinualTask, check_images};
use crate::training::{Epochs, Training, training_macs};

/// Elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Elastic {
    /// λ: what is minimised is the loss and `λ/2 Σ F (θ − θ*)²`.
    pub strength: f64,
    /// Training samples on which the Fisher information of a task is found, at most.
    pub samples: usize,
}

/// One network of fixed widths for all tasks, with a head for each, trained on one task after the
/// other: fine-tuning, or elastic weight consolidation, which holds the shared parameters the
/// tighter the more they mattered for earlier tasks.
#[derive(Debug)]
pub struct Sequential {
    architecture: Architecture,
    training: Training,
    device: Device,
    elastic: Option<Elastic>,
    net: MultiHead,
    known: Option<Consolidation>,
    macs: u64,
    interrupt: Arc<AtomicBool>,
}

impl Sequential {
    /// Fine-tuning of a network of `widths` on the plain `device`.
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
        let seed = stream(training.seed, "weights", 0);
        let net = MultiHead::new(&architecture, widths, seed, &device.clone().autodiff())?;
        Ok(Self {
            architecture,
            training,
            device: device.clone(),
            elastic: None,
            net,
            known: None,
            macs: 0,
            interrupt: Arc::default(),
        })
    }

    /// With elastic weight consolidation.
    ///
    /// # Errors
    /// [`ContinualError::Settings`] for a strength that is negative or no number, or no sample.
    pub fn with_elastic(mut self, elastic: Elastic) -> Result<Self, ContinualError> {
        let Elastic { strength, samples } = elastic;
        if !(strength >= 0.0 && strength.is_finite()) || samples == 0 {
            return Err(ContinualError::Settings(format!(
                "consolidation of strength {strength} on {samples} samples: the strength must be a \
                 number that is not negative, with at least 1 sample"
            )));
        }
        self.elastic = Some(elastic);
        Ok(self)
    }

    /// Ends learning early once `interrupt` is set.
    #[must_use]
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// What `model` ended as says of the shared parameters, and the multiply-accumulates that it
    /// took.
    fn consolidated(
        &self,
        elastic: &Elastic,
        net: &MultiHead,
        task: &ContinualTask,
        forward: u64,
    ) -> Result<(Consolidation, u64), ContinualError> {
        let seed = stream(self.training.seed, "fisher", self.net.heads());
        let sample = task.train().sample(elastic.samples, seed);
        let fisher = fisher_diagonal(net, MultiHead::trunk, sample.inputs())?;
        let macs = training_macs(forward, sample.len(), task.classes());
        let known = match self.known.clone() {
            Some(known) => known.with(net.trunk(), fisher)?,
            None => Consolidation::new(net.trunk(), fisher)?,
        };
        Ok((known, macs))
    }
}

impl Predictor for Sequential {
    fn tasks(&self) -> usize {
        self.net.heads()
    }

    fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError> {
        let net = self.net.valid().answering(task)?;
        check_images(images, self.architecture.input(), || "the batch".to_owned())?;
        Ok(net.predict(plain(images.clone())))
    }

    fn parameters(&self) -> u64 {
        parameter_count(&self.net)
    }

    fn training_macs(&self) -> u64 {
        self.macs
    }
}

impl Learner for Sequential {
    fn name(&self) -> &str {
        match self.elastic {
            Some(_) => "EWC",
            None => "fine-tuning",
        }
    }

    fn learn(&mut self, task: &ContinualTask) -> Result<(), ContinualError> {
        task.check_input(self.architecture.input())?;
        let number = self.net.heads();
        let seed = self.training.task_seed(number);
        let device = self.device.clone().autodiff();
        let head = stream(seed, "head", 0);
        let net = self.net.clone();
        let net = net.with_head(&self.architecture, task.classes(), head, &device);
        let net = net.answering(number)?;
        let forward = Macs.cost(&layer_shapes(&net, task.train())?);
        let mut model = Held {
            net,
            strength: self.elastic.map_or(0.0, |elastic| elastic.strength),
            known: self.known.clone(),
        };
        let mut optimizer = self.training.optimizer();
        let mut epochs = Epochs::new(&self.training, seed, &self.interrupt)?;
        let all = epochs.left();
        epochs.train(&mut model, &mut optimizer, &CrossEntropy, task.train(), all)?;
        let mut macs = training_macs(forward, task.train().len(), all);
        if let Some(elastic) = self.elastic {
            let (known, taken) = self.consolidated(&elastic, &model.net, task, forward)?;
            macs = macs.saturating_add(taken);
            self.known = Some(known);
        }
        self.net = model.net;
        self.macs = self.macs.saturating_add(macs);
        Ok(())
    }

    fn keeps_outputs(&self) -> bool {
        false
    }
}

/// A network that is held near what earlier tasks ended as.
#[derive(Module, Debug)]
struct Held {
    net: MultiHead,
    strength: f64,
    #[module(skip)]
    known: Option<Consolidation>,
}

impl Growable for Held {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, images: Tensor<4>) -> Tensor<2> {
        self.net.predict(images)
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        let known = self.known.as_ref()?;
        let distance = known.distance(self.net.trunk())?;
        Some(distance.mul_scalar(0.5 * self.strength))
    }
}
