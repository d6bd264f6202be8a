//! One network by one way, at a given cost.

use std::time::Instant;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::RandomNeuron;
use burgeon_core::select::{Fraction, PerLayer};
use burgeon_data::load;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{evaluate, parameter_count};
use burgeon_nn::surgery::{CopiedMoments, OptimizerRules};
use burgeon_nn::{CrossEntropy, Growable, NnError, SpectrumConfig, trace};
use burgeon_train::{
    Accept, GrowerConfig, GrowerState, RateSchedule, SearchSamples, StepSize, Trigger, Verdict,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::super::growth::{grow, initialise};
use super::super::images::{RANDOM_STEP, SampleSets, optimizer, sample_sets, task};
use super::super::nets::{ConvNet, Mlp, PlainConvNet};
use super::arm::{Arm, Growing, Layers, RANKED, Step, Way};
use super::bench::{Bench, Net};
use super::recipe::Recipe;
use crate::error::ExperimentError;
use crate::study::UnitContext;

const BATCH: usize = 128;

/// Rows on which each site's spectra rest.
const ROWS: usize = 8192;

/// A run's cost ends it, not its epochs.
const MOST_EPOCHS: usize = 100_000;

/// Parts of the cost at whose ends a curve has its points.
pub(super) const CURVE: usize = 20;

/// What became of a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    /// The learning rate.
    pub rate: f64,
    pub widths: Vec<usize>,
    pub parameters: u64,
    /// Multiply-accumulates of a forward pass of one sample.
    pub macs: u64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub held_accuracy: f64,
    pub held_loss: f64,
    /// Over the last epoch, as training saw it.
    pub train_loss: f64,
    /// What the run cost, in epochs at the target widths.
    pub cost: f64,
    /// Of that, what growing took.
    pub growing_cost: f64,
    pub epochs: usize,
    /// Wall time of training and growing.
    pub seconds: f64,
    /// Of it, growing.
    pub growing_seconds: f64,
    /// Epochs trained before each growth step.
    pub grown_after: Vec<usize>,
    /// Growth steps that were refused.
    pub refused: usize,
    /// Accuracy on held samples when each of [`CURVE`] equal parts of the cost is spent.
    pub curve: Vec<f64>,
}

/// Trains the network of `arm` on `bench`.
pub(super) fn measured(
    context: &UnitContext,
    bench: &Bench,
    arm: &Arm,
    recipe: &Recipe,
    rate: f64,
    seed: u64,
) -> Result<Measured, ExperimentError> {
    let set = load(bench.set, &context.settings.data)?;
    let size = bench.size(context.settings.scale);
    let sets = sample_sets(&set, bench.held, seed, context)?.with_train_samples(size.samples, seed);
    let [_, side, _] = set.train.shape;
    let job = Job {
        context,
        bench,
        sets: &sets,
        recipe,
        epochs: size.epochs,
        rate,
        seed,
    };
    let classes = set.classes;
    match bench.net {
        Net::Mlp => job.run(arm, |widths, device| {
            Mlp::new(side * side, widths, classes, device)
        }),
        Net::NormConv => job.run(arm, |widths, device| {
            ConvNet::new(side, widths, classes, device)
        }),
        Net::Conv => job.run(arm, |widths, device| {
            PlainConvNet::new(side, widths, classes, device)
        }),
    }
}

struct Job<'a> {
    context: &'a UnitContext,
    bench: &'a Bench,
    sets: &'a SampleSets,
    recipe: &'a Recipe,
    epochs: usize,
    rate: f64,
    seed: u64,
}

/// What the network of the target widths takes.
struct Limits {
    parameters: u64,
    /// An epoch of training.
    epoch: u64,
}

/// A network after its run.
struct Ran<M> {
    model: M,
    state: GrowerState,
    seconds: f64,
}

impl Job<'_> {
    fn run<M: Growable<Input = Tensor<4>>>(
        &self,
        arm: &Arm,
        make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
    ) -> Result<Measured, ExperimentError> {
        let (target, start) = (self.bench.target, self.start());
        let model = self.initial(&make, &[target; 2])?;
        let limits = Limits {
            parameters: parameter_count(&model),
            epoch: 3 * self.forward(&model)? * self.sets.train().len() as u64,
        };
        let ran = match &arm.way {
            Way::Scratch => self.train(model, &limits, None)?,
            Way::SameStart => self.train(self.initial(&make, &start)?, &limits, None)?,
            Way::Grown(how) => self.train(self.initial(&make, &start)?, &limits, Some(how))?,
            Way::ScratchFound => {
                let grown = self.train(self.initial(&make, &start)?, &limits, Some(&RANKED))?;
                let found = self.initial(&make, &self.widths(&grown.model)?)?;
                self.train(found, &limits, None)?
            }
        };
        self.judge(&ran, &limits)
    }

    fn start(&self) -> [usize; 2] {
        [self.recipe.start(self.bench.target); 2]
    }

    fn initial<M: Growable<Input = Tensor<4>>>(
        &self,
        make: impl Fn(&[usize], &Device) -> Result<M, NnError>,
        widths: &[usize],
    ) -> Result<M, ExperimentError> {
        let backend = self.context.backend.as_ref();
        initialise(backend, self.seed, |device| make(widths, device))
    }

    /// Multiply-accumulates of a forward pass of one sample.
    fn forward<M: Growable<Input = Tensor<4>>>(&self, model: &M) -> Result<u64, ExperimentError> {
        let one = self.sets.held().subset(&[0])?;
        Ok(Macs.cost(&layer_shapes(model, &one)?))
    }

    fn widths<M: Growable<Input = Tensor<4>>>(
        &self,
        model: &M,
    ) -> Result<Vec<usize>, ExperimentError> {
        let widths = trace(model, self.sets.held())?.graph().widths();
        Ok(widths.into_iter().map(|(_, width)| width).collect())
    }

    /// Trains, and grows by `how`, until the cost is spent.
    fn train<M: Growable<Input = Tensor<4>>>(
        &self,
        model: M,
        limits: &Limits,
        how: Option<&Growing>,
    ) -> Result<Ran<M>, ExperimentError> {
        let config = self.config(limits, how)?;
        let started = Instant::now();
        let (model, state) = grow(
            self.context,
            config,
            task(self.sets),
            model,
            optimizer(),
            false,
        )?;
        Ok(Ran {
            model,
            state,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn config(
        &self,
        limits: &Limits,
        how: Option<&Growing>,
    ) -> Result<GrowerConfig, ExperimentError> {
        let recipe = self.recipe;
        let mut rate = RateSchedule::stable_then_decay(self.rate)?;
        if let Some((factor, epochs)) = recipe.rewarm {
            rate = rate.with_rewarm(factor, epochs)?;
        }
        let moments = match recipe.zero_moments {
            true => CopiedMoments::ZeroForCopies,
            false => CopiedMoments::Carried,
        };
        // A run ends with the epoch in which its cost is spent: half an epoch less lets all ways
        // end at the same cost on average.
        let cost = limits.epoch * (2 * self.epochs as u64 - 1) / 2;
        let config = GrowerConfig::new(RandomNeuron::zero_fan_out(), PerLayer::DOUBLE)
            .with_batch_size(BATCH)
            // Units run side by side, and the networks draw nothing.
            .with_device_seeding(false)
            .with_seed(self.seed)
            .with_training_macs(cost)
            .with_max_epochs(MOST_EPOCHS)
            .with_learning_rate(rate)
            .with_optimizer_rules(OptimizerRules::default().with_copied_moments(moments));
        let Some(how) = how else {
            return Ok(config.with_max_growths(0));
        };
        let mut config = config
            .with_parameter_budget(limits.parameters)
            .with_capture_samples(self.bench.capture)
            .with_search_samples(SearchSamples::Captured)
            .with_spectrum(SpectrumConfig::default().with_rows(ROWS))
            .with_trigger(Trigger::Spread {
                growths: recipe.growths,
                until: recipe.until,
            });
        if how.step == Step::Fixed {
            config = config.with_step_size(StepSize::Fixed {
                epsilon: RANDOM_STEP,
                accept: Accept::Always,
            });
        }
        if how.layers == Layers::Ranked {
            config.selector = std::sync::Arc::new(Fraction::new(1.0)?);
        }
        config.criterion = (how.criterion)(self.bench)?;
        Ok(config)
    }

    fn judge<M: Growable<Input = Tensor<4>>>(
        &self,
        ran: &Ran<M>,
        limits: &Limits,
    ) -> Result<Measured, ExperimentError> {
        let Ran { model, state, .. } = ran;
        let test = evaluate(model, &CrossEntropy, self.sets.test(), 512)?;
        let last = state.epochs.last();
        let held = last.map(|last| last.held);
        let in_epochs = |macs: u64| macs as f64 / limits.epoch as f64;
        let growing = state.journal.iter().map(|record| record.macs).sum();
        let refused = state.journal.iter();
        let refused = refused.filter(|record| record.verdict != Verdict::Committed);
        let spent = |part: usize| {
            let until = limits.epoch as f64 * (self.epochs * part) as f64 / CURVE as f64;
            let within = |macs: u64| macs as f64 <= until;
            let records = state.epochs.iter();
            let before = records.rev().find(|record| within(record.training_macs));
            let record = before.or(state.epochs.first());
            record.and_then(|record| record.held.accuracy)
        };
        Ok(Measured {
            rate: self.rate,
            widths: self.widths(model)?,
            parameters: parameter_count(model),
            macs: self.forward(model)?,
            test_accuracy: test.accuracy.unwrap_or_default(),
            test_loss: test.loss,
            held_accuracy: held.and_then(|held| held.accuracy).unwrap_or_default(),
            held_loss: held.map(|held| held.loss).unwrap_or_default(),
            train_loss: last.map(|last| last.train_loss).unwrap_or_default(),
            cost: in_epochs(state.training_macs),
            growing_cost: in_epochs(growing),
            epochs: state.epoch,
            seconds: ran.seconds,
            growing_seconds: state.journal.iter().map(|record| record.seconds).sum(),
            grown_after: state.journal.iter().map(|record| record.epoch).collect(),
            refused: refused.count(),
            curve: (1..=CURVE).filter_map(spent).collect(),
        })
    }
}

/// What results depend on besides bench and recipe, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({ "batch": BATCH, "rows of spectra": ROWS })
}
