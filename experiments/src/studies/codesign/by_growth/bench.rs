//! What all ways have in common: data, networks, what training costs, and points of the front.

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_data::{ImageSet, optdigits};
use burgeon_nn::CrossEntropy;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::evaluate;
use burgeon_train::{RateSchedule, TrainConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::super::growth::{initialise, train};
use super::super::super::images::{SampleSets, optimizer, sample_sets, task};
use super::super::net::ThreeConvNet;
use super::space::WidthSpace;
use crate::error::ExperimentError;
use crate::study::UnitContext;

/// The learning rate of all networks, that of training from scratch in `methods-conv`.
pub(super) const RATE: f64 = 0.02;

pub(super) const BATCH: usize = 128;

/// Share of the training set that is held: what searches are told, and fronts are made of. The
/// smaller it is, the more a front is made of luck, and of more luck the more networks there are.
pub(super) const HELD: f64 = 0.3;

/// Networks that were trained to an end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    pub widths: [usize; 3],
    /// Cycles on the best design for it.
    pub cycles: f64,
    pub held_accuracy: f64,
    pub test_accuracy: f64,
    /// Multiply-accumulates of the whole run when it was there.
    pub spent: u64,
}

/// Data, space and budget of a unit.
pub(super) struct Bench<'a> {
    pub context: &'a UnitContext,
    /// What the unit's checkpoint must have come of.
    pub recipe: Value,
    pub set: ImageSet,
    pub sets: SampleSets,
    pub space: WidthSpace,
    pub seed: u64,
    /// Multiply-accumulates of all training and growing.
    pub budget: u64,
}

impl<'a> Bench<'a> {
    /// For the cost of `epochs` epochs of the widest network.
    pub fn new(
        context: &'a UnitContext,
        recipe: Value,
        seed: u64,
        epochs: usize,
        widest: usize,
    ) -> Result<Self, ExperimentError> {
        let set = optdigits::load()?;
        let sets = sample_sets(&set, HELD, seed, context)?;
        let [_, side, _] = set.train.shape;
        let mut bench = Self {
            space: WidthSpace::new(side, set.classes)?,
            context,
            recipe,
            set,
            sets,
            seed,
            budget: 0,
        };
        let model = bench.initial([widest; 3], seed)?;
        bench.budget = bench.epoch(&model)? * epochs as u64;
        Ok(bench)
    }

    /// A network whose initial weights follow from `seed`.
    pub fn initial(&self, widths: [usize; 3], seed: u64) -> Result<ThreeConvNet, ExperimentError> {
        let [_, side, _] = self.set.train.shape;
        let backend = self.context.backend.as_ref();
        initialise(backend, seed, |device| {
            ThreeConvNet::new(side, &widths, self.set.classes, device)
        })
    }

    /// Multiply-accumulates of an epoch: three forward passes for each sample.
    pub fn epoch(&self, model: &ThreeConvNet) -> Result<u64, ExperimentError> {
        let one = self.sets.held().subset(&[0])?;
        let forward = Macs.cost(&layer_shapes(model, &one)?);
        Ok(3 * forward * self.sets.train().len() as u64)
    }

    /// Trains `model` for `epochs` epochs by `rate` to a point of the front, from `spent` on.
    pub fn point(
        &self,
        model: ThreeConvNet,
        (epochs, rate): (usize, RateSchedule),
        seed: u64,
        spent: u64,
    ) -> Result<Point, ExperimentError> {
        let config = TrainConfig {
            batch_size: BATCH,
            learning_rate: rate,
            // Units run side by side, and the networks draw nothing.
            seeds_device: false,
            seed,
            ..TrainConfig::default()
        };
        let cost = self.epoch(&model)? * epochs as u64;
        let task = task(&self.sets);
        let (model, _) = train(self.context, config, &task, model, optimizer(), epochs)?;
        let accuracy = |samples| {
            let found = evaluate(&model, &CrossEntropy, samples, 512)?;
            Ok::<_, ExperimentError>(found.accuracy.unwrap_or_default())
        };
        Ok(Point {
            widths: model.widths(),
            cycles: self.space.best(model.widths()).unwrap_or(f64::INFINITY),
            held_accuracy: accuracy(self.sets.held())?,
            test_accuracy: accuracy(self.sets.test())?,
            spent: spent.saturating_add(cost),
        })
    }
}
