//! What the studies on images share: samples, training, the optimizer.

use burgeon_data::{ImageSet, Images};
use burgeon_nn::{CrossEntropy, Growable, Samples};
use burgeon_train::{EpochRecord, RateSchedule, Task, TrainConfig};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};

use super::growth::train;
use crate::error::ExperimentError;
use crate::study::UnitContext;

const WEIGHT_DECAY: f32 = 0.1;

/// Samples of a unit: training, held, test.
pub(super) struct SampleSets {
    train: Samples<Tensor<4>>,
    held: Samples<Tensor<4>>,
    test: Samples<Tensor<4>>,
}

impl SampleSets {
    pub fn train(&self) -> &Samples<Tensor<4>> {
        &self.train
    }

    pub fn test(&self) -> &Samples<Tensor<4>> {
        &self.test
    }

    pub fn held(&self) -> &Samples<Tensor<4>> {
        &self.held
    }

    /// With at most `samples` of the training samples, drawn by `seed`.
    pub fn with_train_samples(mut self, samples: usize, seed: u64) -> Self {
        self.train = self.train.sample(samples, seed);
        self
    }
}

pub(super) fn sample_sets(
    set: &ImageSet,
    held: f64,
    seed: u64,
    context: &UnitContext,
) -> Result<SampleSets, ExperimentError> {
    let device = context.backend.device();
    let train = samples(&set.train, set.classes, &device)?;
    let (train, held) = train.split_off(held, seed)?;
    Ok(SampleSets {
        train,
        held,
        test: samples(&set.test, set.classes, &device)?,
    })
}

pub(crate) fn samples(
    images: &Images,
    classes: usize,
    device: &Device,
) -> Result<Samples<Tensor<4>>, ExperimentError> {
    let [c, h, w] = images.shape;
    let data = TensorData::new(images.pixels.clone(), [images.len(), c, h, w]);
    let inputs = Tensor::<4>::from_data(data, device);
    Ok(Samples::classification(
        inputs,
        &images.labels,
        classes,
        device,
    )?)
}

/// `model` after so many epochs of training at a rate, without growth.
pub(super) fn trained<M: Growable<Input = Tensor<4>>>(
    context: &UnitContext,
    sets: &SampleSets,
    batch: usize,
    seed: u64,
    (epochs, rate): (usize, RateSchedule),
    model: M,
) -> Result<(M, Vec<EpochRecord>), ExperimentError> {
    let config = TrainConfig {
        batch_size: batch,
        learning_rate: rate,
        // Units run side by side, and the networks draw nothing.
        seeds_device: false,
        seed,
        ..TrainConfig::default()
    };
    train(context, config, &task(sets), model, optimizer(), epochs)
}

/// What the results of all image studies depend on, by name.
pub(super) fn constants() -> Value {
    json!({ "weight decay": WEIGHT_DECAY })
}

pub(super) fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().with_weight_decay(WEIGHT_DECAY).init()
}

pub(super) fn task(sets: &SampleSets) -> Task<Tensor<4>> {
    Task::new(CrossEntropy, sets.train.clone(), sets.held.clone())
}

/// What an axis says of its error bars, where there are any.
pub(super) fn spread_note(runs: usize) -> &'static str {
    if runs > 1 { " (mean ± deviation)" } else { "" }
}
