//! Training, counter-examples and growth steps until a network is proved.

use std::sync::atomic::Ordering;

use burgeon_core::cost::{CostModel, Energy, Macs, Precision};
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::parameter_count;
use burgeon_nn::surgery::carry_optimizer;
use burgeon_nn::{Trace, trace};
use burgeon_npi::calls::CallSet;
use burgeon_npi::network::{
    Codec, Core, CoreConfig, DecisionLoss, Settings, Traces, Training, prove, samples,
};
use burgeon_npi::tasks::{Recursion, Task, named};
use burgeon_npi::training_sets::of_the_paper;
use burgeon_npi::verification::reached;
use burgeon_train::{GrowthConfig, GrowthStep, SearchSamples, Subject, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::ExperimentError;
use crate::study::{UnitContext, UnitEvent};

/// Units of each LSTM layer at the begin.
pub(super) const START: usize = 2;
/// Of encoder and program memory.
const ENCODER: usize = 32;
/// The share of units that split in a growth step.
const SHARE: f64 = 0.5;
/// Growth steps at most.
const MOST_GROWTHS: usize = 12;
/// Forward and backward pass, in forward passes.
const PASSES: u64 = 3;

/// One growth step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Whether the network grew.
    pub made: bool,
    /// The largest change of an output at ε = 0.
    pub change_at_zero: f64,
    /// The predicted decrease of the loss.
    pub predicted: Option<f64>,
    /// The measured one.
    pub measured: Option<f64>,
}

/// A network that grew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Grown {
    /// Whether it is proved.
    pub proved: bool,
    /// Units of both layers.
    pub widths: [usize; 2],
    /// Trained parameters.
    pub parameters: u64,
    /// Multiply-accumulates of one decision.
    pub macs: u64,
    /// Femtojoules of one decision.
    pub energy: u64,
    /// Multiply-accumulates of training.
    pub training_macs: u64,
    /// Every growth step.
    pub steps: Vec<Step>,
    /// Calls added because they were wrong.
    pub counter_examples: usize,
}

/// How long a phase lasts: to exact traces and a little on, or until it is plain that the network
/// is too small.
fn settings() -> Settings {
    Settings {
        rate: 5e-3,
        settle: 50,
        most: 400,
    }
}

/// What a run depends on.
pub(super) fn recipe() -> Value {
    let settings = settings();
    json!({
        "start": START,
        "encoder": ENCODER,
        "share": SHARE,
        "growths": MOST_GROWTHS,
        "rate": settings.rate,
        "settle": settings.settle,
        "phase": settings.most,
    })
}

/// A task's network in training, with what it costs.
pub(super) struct Learner<'a> {
    task: &'static dyn Task,
    codec: Codec,
    context: &'a UnitContext,
    closed: CallSet,
    pub calls: CallSet,
    pub training: Training,
    pub training_macs: u64,
    pub counter_examples: usize,
}

/// What one decision of a network costs.
pub(super) struct Price {
    pub parameters: u64,
    pub macs: u64,
    pub energy: u64,
}

impl<'a> Learner<'a> {
    /// A network of so many units, and the task's training problems.
    pub fn new(
        name: &str,
        seed: u64,
        hidden: usize,
        context: &'a UnitContext,
    ) -> Result<Self, ExperimentError> {
        let task = named(name)?;
        let codec = Codec::new(task.instructions());
        let config = CoreConfig {
            hidden,
            encoder: ENCODER,
            embedding: ENCODER,
            key: ENCODER,
        };
        let device = context.backend.device().autodiff();
        let core = Core::new(&codec, config, seed, &device);
        Ok(Self {
            task,
            codec,
            context,
            closed: task.closed_set(1)?,
            calls: reached(task, Recursion::Full, of_the_paper(task, seed)?)?,
            training: Training::new(core, settings()),
            training_macs: 0,
            counter_examples: 0,
        })
    }

    /// Trains for a phase, or until `budget` multiply-accumulates are spent. Whether every decision
    /// is right.
    pub fn phase(&mut self, budget: u64) -> Result<bool, ExperimentError> {
        let device = self.context.backend.device();
        let mut oracle = self.task.oracle(Recursion::Full)?;
        let traces = Traces::new(self.codec, &self.calls, &mut oracle, &device)?;
        let rows: usize = traces.sizes.iter().sum();
        let cost = self.price()?.macs.saturating_mul(PASSES * rows as u64);
        let interrupt = &self.context.interrupt;
        let spent = &mut self.training_macs;
        let exact = self.training.run(&traces, |_, _| {
            *spent = spent.saturating_add(cost);
            *spent < budget && !interrupt.load(Ordering::Relaxed)
        })?;
        match interrupt.load(Ordering::Relaxed) {
            true => Err(ExperimentError::Interrupted),
            false => Ok(exact),
        }
    }

    /// Whether the network is proved; if not, the calls in which it is wrong are learned from now
    /// on.
    pub fn is_proved(&mut self) -> Result<bool, ExperimentError> {
        let verdict = prove(self.task, &self.training.core, &self.closed)?;
        let before = self.calls.len();
        let wrong = verdict.wrong.iter().map(|example| example.sequence.clone());
        self.calls.extend(wrong);
        self.counter_examples += self.calls.len() - before;
        Ok(verdict.is_proved())
    }

    fn trace(&self) -> Result<Trace, ExperimentError> {
        Ok(trace(&self.training.core, &self.samples()?)?)
    }

    fn samples(&self) -> Result<burgeon_nn::Samples<burn::tensor::Tensor<3>>, ExperimentError> {
        let mut oracle = self.task.oracle(Recursion::Full)?;
        let device = self.context.backend.device();
        Ok(samples(self.codec, &self.calls, &mut oracle, &device)?)
    }

    /// What the network costs now: of one decision, a trace of one step.
    pub fn price(&self) -> Result<Price, ExperimentError> {
        let device = self.context.backend.device();
        let row = burn::tensor::Tensor::<3>::zeros([1, 1, self.codec.inputs()], &device);
        let targets = burn::tensor::Tensor::<2>::zeros([1, self.codec.outputs()], &device);
        let one = burgeon_nn::Samples::regression(row, targets)?;
        let layers = layer_shapes(&self.training.core, &one)?;
        Ok(Price {
            parameters: parameter_count(&self.training.core),
            macs: Macs.cost(&layers),
            energy: Energy::new(Precision::Float32).cost(&layers),
        })
    }

    /// Splits units of both LSTM layers.
    fn grow(&mut self, number: usize, seed: u64) -> Result<Step, ExperimentError> {
        let samples = self.samples()?;
        let mut trace = self.trace()?;
        let others: Vec<_> = trace
            .graph()
            .growable()
            .filter(|site| !is_lstm(site.name()))
            .map(|site| site.group())
            .collect();
        for group in others {
            trace.freeze(group, "only the LSTM grows here");
        }
        let config = GrowthConfig {
            search_samples: SearchSamples::Captured,
            capture_samples: samples.len(),
            ..GrowthConfig::default()
        };
        let step = GrowthStep::new(SteepestDescent, Fraction::new(SHARE)?)
            .with_config(config)
            .with_seed(seed);
        let objective = DecisionLoss::new(self.codec);
        let subject = Subject {
            model: &self.training.core,
            trace: trace.into(),
            objective: &objective,
            train: &samples,
            held: &samples,
            batch_size: samples.len(),
            backend: self.context.backend.as_ref(),
        };
        let made = step.run(&subject, number)?;
        let record = made.record;
        if let Some((core, edits)) = made.grown {
            let optimizer = self.training.optimizer.clone();
            self.training.optimizer = carry_optimizer(optimizer, &edits)?;
            self.training.core = core;
        }
        Ok(Step {
            made: record.verdict == Verdict::Committed,
            change_at_zero: record.output_change_at_zero,
            predicted: record.predicted_decrease,
            measured: record.measured_decrease,
        })
    }

    fn tell(&self, unit: &str, growths: usize) {
        let [lower, upper] = self.training.core.widths();
        let (steps, calls) = (self.training.steps, self.calls.len());
        let line = format!(
            "{unit}: {lower} and {upper} units after {growths} growth steps, {steps} steps, {calls} \
             calls"
        );
        // Nobody listening is no reason to stop.
        let _ = self.context.progress.send(UnitEvent::Progress(line));
    }
}

/// Whether a site is that of an LSTM layer's units.
fn is_lstm(site: &str) -> bool {
    site.starts_with("lower") || site.starts_with("upper")
}

/// Grows a task's network until it is proved: counter-examples are learned as long as the network
/// can, and it grows where it cannot.
pub(super) fn grow(task: &str, seed: u64, context: &UnitContext) -> Result<Grown, ExperimentError> {
    let mut learner = Learner::new(task, seed, START, context)?;
    let mut steps = Vec::new();
    let proved = loop {
        if learner.phase(u64::MAX)? {
            if learner.is_proved()? {
                break true;
            }
            continue;
        }
        if steps.len() == MOST_GROWTHS {
            break false;
        }
        steps.push(learner.grow(steps.len() + 1, seed)?);
        learner.tell(&context.unit, steps.len());
    };
    let Price {
        parameters,
        macs,
        energy,
    } = learner.price()?;
    Ok(Grown {
        proved,
        widths: learner.training.core.widths(),
        parameters,
        macs,
        energy,
        training_macs: learner.training_macs,
        steps,
        counter_examples: learner.counter_examples,
    })
}
