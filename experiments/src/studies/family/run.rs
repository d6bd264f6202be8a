//! One family of sizes.

use std::f64::consts::PI;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::RandomNeuron;
use burgeon_core::select::PerLayer;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{copy, evaluate, parameter_count};
use burgeon_nn::surgery::{carry_optimizer, keep_channels};
use burgeon_nn::{CrossEntropy, trace};
use burgeon_train::{GrowthStep, Subject, TrainConfig, Trainer};
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::super::growth::initialise;
use super::super::images::{SampleSets, optimizer};
use super::{COST, RATE, SIZES, Way};
use crate::error::ExperimentError;
use crate::nets::Mlp;
use crate::study::UnitContext;

const BATCH: usize = 128;

/// The share of a size's epochs for which the rate is constant, from scratch: as in `methods`.
const CONSTANT: f64 = 0.6;

/// The share of a size's epochs in a run through all sizes for which the run itself trains, at a
/// constant rate; in the rest a copy decays, and is what becomes of the size.
const TRUNK: f64 = 0.5;

/// A network of one size at its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub width: usize,
    pub parameters: u64,
    pub held_accuracy: f64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    /// What the run had cost when the size was judged, in epochs of the largest.
    pub spent: f64,
}

/// All sizes, the smallest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    pub members: Vec<Member>,
    /// What all of them cost, in epochs of the largest.
    pub cost: f64,
}

/// What results depend on besides the study's own numbers, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({ "batch": BATCH, "constant rate": CONSTANT, "trunk": TRUNK })
}

/// A network with its optimizer on its way.
#[derive(Clone)]
struct Trained {
    model: Mlp,
    optimizer: ModuleOptimizer,
}

pub(super) struct Job<'a> {
    context: &'a UnitContext,
    sets: &'a SampleSets,
    trainer: Trainer,
    seed: u64,
    /// Multiply-accumulates of an epoch of the largest network.
    unit: u64,
    /// Epochs that each size has.
    epochs: f64,
    /// Multiply-accumulates spent.
    spent: u64,
    /// Epochs trained, by which orders of samples differ.
    trained: usize,
}

impl<'a> Job<'a> {
    pub fn new(
        context: &'a UnitContext,
        sets: &'a SampleSets,
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let config = TrainConfig {
            batch_size: BATCH,
            seed,
            // Units run side by side, and the networks draw nothing.
            seeds_device: false,
            mixed_precision: context.settings.mixed_precision,
            ..TrainConfig::default()
        };
        let trainer = Trainer::new(config)?.interrupt_by(context.interrupt.clone());
        let mut job = Self {
            context,
            sets,
            trainer,
            seed,
            unit: 0,
            epochs: 0.0,
            spent: 0,
            trained: 0,
        };
        let mut macs = Vec::new();
        for width in SIZES {
            macs.push(job.epoch_macs(&job.initial(width)?.model)?);
        }
        let [.., largest] = macs[..] else {
            return Err(ExperimentError::Settings("no size".into()));
        };
        job.unit = largest;
        job.epochs = COST * largest as f64 / macs.iter().sum::<u64>() as f64;
        Ok(job)
    }

    pub fn run(mut self, way: Way) -> Result<Family, ExperimentError> {
        let mut members = match way {
            Way::Apart => self.apart()?,
            Way::Grown | Way::Pruned => self.through(way)?,
        };
        members.sort_by_key(|member| member.width);
        Ok(Family {
            members,
            cost: self.spent as f64 / self.unit as f64,
        })
    }

    fn apart(&mut self) -> Result<Vec<Member>, ExperimentError> {
        let epochs = self.epochs.round() as usize;
        let constant = (epochs as f64 * CONSTANT).round() as usize;
        let mut members = Vec::new();
        for width in SIZES {
            let mut net = self.initial(width)?;
            self.trained = 0;
            self.train(&mut net, constant)?;
            self.decay(&mut net, epochs - constant)?;
            members.push(self.judge(&net, width)?);
        }
        Ok(members)
    }

    /// One network through all sizes.
    fn through(&mut self, way: Way) -> Result<Vec<Member>, ExperimentError> {
        let epochs = self.epochs.round() as usize;
        let trunk = (epochs as f64 * TRUNK).round() as usize;
        let mut sizes = SIZES;
        if way == Way::Pruned {
            sizes.reverse();
        }
        let mut net = self.initial(sizes[0])?;
        let mut members = Vec::new();
        for (index, width) in sizes.into_iter().enumerate() {
            if index > 0 {
                net = match way {
                    Way::Pruned => self.pruned(&net, width)?,
                    _ => self.grown(&net, sizes[index - 1], width)?,
                };
            }
            self.train(&mut net, trunk)?;
            let mut branch = Trained {
                model: copy(&net.model),
                optimizer: net.optimizer.clone(),
            };
            self.decay(&mut branch, epochs - trunk)?;
            members.push(self.judge(&branch, width)?);
        }
        Ok(members)
    }

    fn initial(&self, width: usize) -> Result<Trained, ExperimentError> {
        let backend = self.context.backend.as_ref();
        let make = |device: &_| Mlp::new(64, &[width; 2], 10, device);
        Ok(Trained {
            model: initialise(backend, self.seed, make)?,
            optimizer: optimizer(),
        })
    }

    fn epoch_macs(&self, model: &Mlp) -> Result<u64, ExperimentError> {
        let one = self.sets.held().subset(&[0])?;
        let forward = Macs.cost(&layer_shapes(model, &one)?);
        Ok(3 * forward * self.sets.train().len() as u64)
    }

    /// Trains at the constant rate.
    fn train(&mut self, net: &mut Trained, epochs: usize) -> Result<(), ExperimentError> {
        (0..epochs).try_for_each(|_| self.epoch(net, RATE))
    }

    /// Trains while the rate goes to 0 by half a cosine.
    fn decay(&mut self, net: &mut Trained, epochs: usize) -> Result<(), ExperimentError> {
        (0..epochs).try_for_each(|epoch| {
            let done = epoch as f64 / epochs as f64;
            self.epoch(net, 0.5 * RATE * (1.0 + (PI * done).cos()))
        })
    }

    fn epoch(&mut self, net: &mut Trained, rate: f64) -> Result<(), ExperimentError> {
        self.spent += self.epoch_macs(&net.model)?;
        self.trained += 1;
        let Trained { model, optimizer } = net;
        let (train, number) = (self.sets.train(), self.trained);
        let loss = self
            .trainer
            .epoch(model, optimizer, &CrossEntropy, train, number, rate)?;
        loss.map(drop).ok_or(ExperimentError::Interrupted)
    }

    fn grown(&mut self, net: &Trained, from: usize, to: usize) -> Result<Trained, ExperimentError> {
        let share = (to - from) as f64 / from as f64;
        let step = GrowthStep::new(RandomNeuron::zero_fan_out(), PerLayer::new(share)?);
        let step = step.with_seed(self.seed);
        let subject = Subject {
            model: &net.model,
            trace: trace(&net.model, self.sets.train())?.into(),
            objective: &CrossEntropy,
            train: self.sets.train(),
            held: self.sets.held(),
            batch_size: BATCH,
            backend: self.context.backend.as_ref(),
        };
        let made = step.run(&subject, to)?;
        self.spent += made.record.macs;
        let refused = || ExperimentError::Settings(format!("growth to {to} was refused"));
        let (model, edits) = made.grown.ok_or_else(refused)?;
        Ok(Trained {
            model,
            optimizer: carry_optimizer(net.optimizer.clone(), &edits)?,
        })
    }

    fn pruned(&self, net: &Trained, to: usize) -> Result<Trained, ExperimentError> {
        let trace = trace(&net.model, self.sets.train())?;
        let kept: Vec<(String, Vec<usize>)> = net
            .model
            .fan_in_norms()
            .into_iter()
            .map(|(name, norms)| {
                let mut order: Vec<usize> = (0..norms.len()).collect();
                order.sort_by(|a, b| norms[*b].total_cmp(&norms[*a]));
                order.truncate(to);
                order.sort_unstable();
                (name.to_owned(), order)
            })
            .collect();
        let (model, edits) = keep_channels(&net.model, trace.graph(), &kept)?;
        Ok(Trained {
            model,
            optimizer: carry_optimizer(net.optimizer.clone(), &edits)?,
        })
    }

    fn judge(&self, net: &Trained, width: usize) -> Result<Member, ExperimentError> {
        let widths = trace(&net.model, self.sets.held())?.graph().widths();
        if widths.iter().any(|(_, own)| *own != width) {
            return Err(ExperimentError::Settings(format!(
                "the network is {widths:?} wide, not {width}"
            )));
        }
        let judged = |samples| evaluate(&net.model, &CrossEntropy, samples, 512);
        let (held, test) = (judged(self.sets.held())?, judged(self.sets.test())?);
        Ok(Member {
            width,
            parameters: parameter_count(&net.model),
            held_accuracy: held.accuracy.unwrap_or_default(),
            test_accuracy: test.accuracy.unwrap_or_default(),
            test_loss: test.loss,
            spent: self.spent as f64 / self.unit as f64,
        })
    }
}
