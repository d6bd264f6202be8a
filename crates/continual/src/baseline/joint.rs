//! All tasks at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::{Growable, Samples, Targets};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::heads::HeadsCrossEntropy;
use super::multi_head::MultiHead;
use crate::architecture::Architecture;
use crate::error::ContinualError;
use crate::layer::plain;
use crate::learner::Predictor;
use crate::streams::stream;
use crate::task::{ContinualTask, check_images};
use crate::training::{Epochs, Training, training_macs};

/// One network of fixed widths, with a head for each task, trained on the samples of all tasks
/// mixed: what could be learned if no task came after another.
#[derive(Debug)]
pub struct Joint {
    architecture: Architecture,
    net: MultiHead,
    macs: u64,
}

impl Joint {
    /// A network of `widths` trained on all `tasks` on the plain `device`, for as many epochs as
    /// each task has elsewhere.
    ///
    /// # Errors
    /// [`ContinualError::NoTask`] for none, [`ContinualError::Interrupted`] once `interrupt` is
    /// set; else for settings, widths or tasks that do not fit.
    pub fn learn(
        architecture: Architecture,
        widths: &[usize],
        training: &Training,
        tasks: &[ContinualTask],
        device: &Device,
        interrupt: &Arc<AtomicBool>,
    ) -> Result<Self, ContinualError> {
        if tasks.is_empty() {
            return Err(ContinualError::NoTask);
        }
        let on_tape = device.clone().autodiff();
        let seed = stream(training.seed, "weights", 0);
        let mut net = MultiHead::new(&architecture, widths, seed, &on_tape)?;
        for (number, task) in tasks.iter().enumerate() {
            task.check_input(architecture.input())?;
            let head = stream(training.task_seed(number), "head", 0);
            net = net.with_head(&architecture, task.classes(), head, &on_tape);
        }
        let samples = mixed(tasks, device)?;
        let forward = Macs.cost(&layer_shapes(&net, &samples)?);
        let objective = HeadsCrossEntropy::new(tasks.iter().map(ContinualTask::classes).collect());
        let mut optimizer = training.optimizer();
        let mut epochs = Epochs::new(training, stream(training.seed, "joint", 0), interrupt)?;
        let all = epochs.left();
        epochs.train(&mut net, &mut optimizer, &objective, &samples, all)?;
        Ok(Self {
            architecture,
            net: net.valid(),
            macs: training_macs(forward, samples.len(), all),
        })
    }
}

impl Predictor for Joint {
    fn tasks(&self) -> usize {
        self.net.heads()
    }

    fn predict(&self, task: usize, images: &Tensor<4>) -> Result<Tensor<2>, ContinualError> {
        let net = self.net.clone().answering(task)?;
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

/// The training samples of all tasks, with labels counted through all heads.
fn mixed(tasks: &[ContinualTask], device: &Device) -> Result<Samples<Tensor<4>>, ContinualError> {
    let images = tasks
        .iter()
        .map(|task| task.train().inputs().clone())
        .collect();
    let mut labels = Vec::new();
    let mut offset = 0;
    for task in tasks {
        let Targets::Classes(own) = task.train().targets() else {
            let task = task.name().to_owned();
            let problem = "their targets must be one class for each sample".to_owned();
            return Err(ContinualError::Targets {
                task,
                part: "training",
                problem,
            });
        };
        let own = own.clone().into_data();
        labels.extend(own.iter::<i64>().map(|label| label as usize + offset));
        offset += task.classes();
    }
    Ok(Samples::classification(
        Tensor::cat(images, 0),
        &labels,
        offset,
        device,
    )?)
}
