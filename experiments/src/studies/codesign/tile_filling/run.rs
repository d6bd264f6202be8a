//! One network by one way, at a given cost of training.

use std::sync::Arc;
use std::time::Instant;

use burgeon_core::cost::Macs;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::{Knapsack, TileFilling};
use burgeon_core::{CostModel, Selector};
use burgeon_data::{ImageSet, optdigits};
use burgeon_hardware::engine::{ConvolutionEngine, Ports, Tiling};
use burgeon_hardware::{ConvLayer, EngineCycles, NetworkCycles};
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{evaluate, parameter_count};
use burgeon_nn::surgery::{CopiedMoments, OptimizerRules};
use burgeon_nn::{CrossEntropy, SpectrumConfig, WidthCost, trace};
use burgeon_train::{
    GrowerConfig, GrowerState, RateSchedule, SearchSamples, Trigger, Verdict, WidthLimits,
};
use serde::{Deserialize, Serialize};

use super::super::super::growth::{Kept, grow, initialise};
use super::super::super::images::{SampleSets, optimizer, sample_sets, task};
use super::super::net::ThreeConvNet;
use super::{Choice, Kind, UNIFORM};
use crate::error::ExperimentError;
use crate::study::UnitContext;

/// The engine's tiles: output and input channels, rows and columns.
const TILES: [usize; 4] = [TILE, TILE, 8, 8];

/// Channels of a tile.
const TILE: usize = 8;

/// Words of weights, inputs and outputs that it moves in a cycle.
const PORTS: [usize; 3] = [8; 3];

/// Cycles that a network may take: uniform width 16 takes 2,642, and so does nearly 9.
const BUDGET: u64 = 2700;

/// Widths from which networks grow.
const START: [usize; 3] = [6; 3];

/// Growth steps, spread over the first part of the cost.
const GROWTHS: (usize, f64) = (2, 0.3);

/// One step may add this share of the cycles.
const STEP_SHARE: f64 = 0.75;

/// Rows on which each site's spectra rest.
const ROWS: usize = 8192;

const BATCH: usize = 128;

/// Share of the training set that is held.
const HELD: f64 = 0.1;

/// Samples that a growth step looks at.
const CAPTURED: usize = 1024;

/// A run's cost ends it, not its epochs.
const MOST_EPOCHS: usize = 100_000;

/// What became of a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    pub widths: Vec<usize>,
    pub parameters: u64,
    /// Multiply-accumulates of a forward pass of one sample.
    pub macs: u64,
    /// Cycles of it on the engine.
    pub cycles: f64,
    /// The share of the engine's multiplications that is used.
    pub utilisation: f64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub held_accuracy: f64,
    pub held_loss: f64,
    /// What the run cost, in epochs at uniform width.
    pub cost: f64,
    /// Of that, what growing took.
    pub growing_cost: f64,
    pub epochs: usize,
    /// Wall time of training and growing.
    pub seconds: f64,
    /// Growth steps that were refused.
    pub refused: usize,
}

/// What results depend on besides way, cost and rate, by name.
pub(super) fn constants() -> serde_json::Value {
    serde_json::json!({
        "tiles": TILES,
        "ports": PORTS,
        "cycles": BUDGET,
        "start": START,
        "growths": GROWTHS,
        "step share": STEP_SHARE,
        "rows of spectra": ROWS,
        "batch": BATCH,
        "held": HELD,
        "captured": CAPTURED,
    })
}

/// What a reader must know of them.
pub(super) fn described() -> String {
    let [outputs, inputs, rows, columns] = TILES;
    format!(
        "The engine multiplies {outputs} output by {inputs} input channels at a time on tiles of \
         {rows}×{columns}, ports of {} words each; a network may take {BUDGET} cycles. Growth: from \
         {}-{}-{}, {} steps spread over the first {:.0} % of the cost, each of which may add {:.0} % \
         of the cycles. Candidates are S2D's, whose gains add up, and the same for every way of \
         choosing.",
        PORTS[0],
        START[0],
        START[1],
        START[2],
        GROWTHS.0,
        100.0 * GROWTHS.1,
        100.0 * STEP_SHARE,
    )
}

/// A network of `kind`, trained for the cost of `epochs` epochs at uniform width.
pub(super) fn measured(
    context: &UnitContext,
    kind: Kind,
    epochs: usize,
    rate: f64,
    seed: u64,
) -> Result<Measured, ExperimentError> {
    let set = optdigits::load()?;
    let sets = sample_sets(&set, HELD, seed, context)?;
    let mut job = Job {
        context,
        set: &set,
        sets: &sets,
        epoch: 0,
        epochs,
        rate,
        seed,
        keeps: kind != Kind::ScratchFound,
    };
    let uniform = job.initial(&UNIFORM)?;
    job.epoch = 3 * job.forward(&uniform)? * sets.train().len() as u64;
    let ran = match kind {
        Kind::Scratch(widths) => job.train(job.initial(&widths)?, None)?,
        Kind::Grown(choice) => job.train(job.initial(&START)?, Some(choice))?,
        Kind::ScratchFound => {
            let grown = job.train(job.initial(&START)?, Some(Choice::Tiles))?;
            job.train(job.initial(&grown.model.widths())?, None)?
        }
    };
    job.judge(&ran)
}

fn engine() -> Result<ConvolutionEngine, ExperimentError> {
    let engine = ConvolutionEngine::new(Tiling::new(TILES)?, Ports::new(PORTS)?, 3)?;
    Ok(engine.with_stride(1)?)
}

struct Job<'a> {
    context: &'a UnitContext,
    set: &'a ImageSet,
    sets: &'a SampleSets,
    /// Multiply-accumulates of an epoch at uniform width.
    epoch: u64,
    epochs: usize,
    rate: f64,
    seed: u64,
    /// Whether the unit's one run has a checkpoint.
    keeps: bool,
}

/// A network after its run.
struct Ran {
    model: ThreeConvNet,
    state: GrowerState,
    seconds: f64,
}

impl Job<'_> {
    fn initial(&self, widths: &[usize]) -> Result<ThreeConvNet, ExperimentError> {
        let [_, side, _] = self.set.train.shape;
        let backend = self.context.backend.as_ref();
        initialise(backend, self.seed, |device| {
            ThreeConvNet::new(side, widths, self.set.classes, device)
        })
    }

    /// Multiply-accumulates of a forward pass of one sample.
    fn forward(&self, model: &ThreeConvNet) -> Result<u64, ExperimentError> {
        let one = self.sets.held().subset(&[0])?;
        Ok(Macs.cost(&layer_shapes(model, &one)?))
    }

    /// Trains, and grows by `choice`, until the cost is spent.
    fn train(&self, model: ThreeConvNet, choice: Option<Choice>) -> Result<Ran, ExperimentError> {
        let config = self.config(&model, choice)?;
        let task = task(self.sets);
        let started = Instant::now();
        let checkpoint = self.context.checkpoint.as_path();
        let journal = checkpoint.with_extension("journal.jsonl");
        let kept = match self.keeps {
            true => Kept {
                checkpoint: Some(checkpoint),
                journal: Some(&journal),
            },
            false => Kept::default(),
        };
        let (model, state) = grow(self.context, config, task, model, optimizer(), kept)?;
        Ok(Ran {
            model,
            state,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn config(
        &self,
        model: &ThreeConvNet,
        choice: Option<Choice>,
    ) -> Result<GrowerConfig, ExperimentError> {
        let rules = OptimizerRules::default().with_copied_moments(CopiedMoments::ZeroForCopies);
        // A run ends with the epoch in which its cost is spent: half an epoch less lets all ways
        // end at the same cost on average.
        let cost = self.epoch * (2 * self.epochs as u64 - 1) / 2;
        let config = GrowerConfig::new(SteepestDescent, Knapsack)
            .with_batch_size(BATCH)
            // Units run side by side, and the networks draw nothing.
            .with_device_seeding(false)
            .with_seed(self.seed)
            .with_training_macs(cost)
            .with_max_epochs(MOST_EPOCHS)
            .with_learning_rate(RateSchedule::stable_then_decay(self.rate)?)
            .with_optimizer_rules(rules);
        let Some(choice) = choice else {
            return Ok(config.with_max_growths(0));
        };
        let price = EngineCycles::new(Arc::new(engine()?));
        let graph = trace(model, self.sets.held())?.graph().clone();
        let selector: Arc<dyn Selector> = match choice {
            Choice::Tiles => Arc::new(TileFilling::new(Arc::new(WidthCost::new(
                graph,
                price.clone(),
            )))),
            Choice::Neurons | Choice::Rounded => config.selector.clone(),
        };
        let mut config = config
            .with_cost_budget(price, BUDGET)
            .with_step_share(STEP_SHARE)
            .with_capture_samples(CAPTURED)
            .with_search_samples(SearchSamples::Captured)
            .with_spectrum(SpectrumConfig::default().with_rows(ROWS))
            .with_trigger(Trigger::Spread {
                growths: GROWTHS.0,
                until: GROWTHS.1,
            });
        if choice == Choice::Rounded {
            config = config.with_widths(WidthLimits::default().multiples_of(TILE));
        }
        config.selector = selector;
        Ok(config)
    }

    fn judge(&self, ran: &Ran) -> Result<Measured, ExperimentError> {
        let Ran { model, state, .. } = ran;
        let test = evaluate(model, &CrossEntropy, self.sets.test(), 512)?;
        let held = state.epochs.last().map(|last| last.held);
        let shapes = layer_shapes(model, &self.sets.held().subset(&[0])?)?;
        let (layers, engine) = (ConvLayer::all(&shapes)?, engine()?);
        let cycles = NetworkCycles::of(&engine, &layers)?;
        let in_epochs = |macs: u64| macs as f64 / self.epoch as f64;
        let refused = state.journal.iter();
        let refused = refused.filter(|record| record.verdict != Verdict::Committed);
        Ok(Measured {
            widths: model.widths().to_vec(),
            parameters: parameter_count(model),
            macs: Macs.cost(&shapes),
            cycles: cycles.total,
            utilisation: cycles.utilisation(&layers, &engine),
            test_accuracy: test.accuracy.unwrap_or_default(),
            test_loss: test.loss,
            held_accuracy: held.and_then(|held| held.accuracy).unwrap_or_default(),
            held_loss: held.map(|held| held.loss).unwrap_or_default(),
            cost: in_epochs(state.training_macs),
            growing_cost: in_epochs(state.journal.iter().map(|record| record.macs).sum()),
            epochs: state.epoch,
            seconds: ran.seconds,
            refused: refused.count(),
        })
    }
}
