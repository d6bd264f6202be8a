//! One network by one method, at a given training cost.

use std::time::Instant;

use burgeon_core::CostModel;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::RandomNeuron;
use burgeon_core::select::PerLayer;
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{evaluate, parameter_count};
use burgeon_nn::{AnyModel, CrossEntropy, SpectrumConfig, trace};
use burgeon_train::{
    Decay, GrowerConfig, GrowerState, RateSchedule, Span, Trigger, Verdict, remove_checkpoint,
};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

use super::data::Sets;
use super::prune::{pruned, sparse};
use super::recipe::{Arm, OptimizerName, Price, Recipe, ScheduleName, Train, Way};
use crate::error::ExperimentError;
use crate::studies::growth::{Kept, grow, initialise};
use crate::study::{Scale, UnitContext};

/// A run's cost ends it, not its epochs.
const MOST_EPOCHS: usize = 100_000;

/// Parts of the cost at whose ends a curve has its points.
pub(super) const CURVE: usize = 20;

/// What became of a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    pub widths: Vec<usize>,
    /// Before the first growth, and after each that was made.
    pub steps: Vec<Vec<usize>>,
    pub parameters: u64,
    /// Multiply-accumulates of a forward pass of one sample.
    pub macs: u64,
    /// What it may cost at most, in the budget's unit.
    pub budget: u64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub held_accuracy: f64,
    pub held_loss: f64,
    /// Over the last epoch, as training saw it.
    pub train_loss: f64,
    /// What the run cost, in epochs of the target.
    pub cost: f64,
    /// Of that, what growing took.
    pub growing_cost: f64,
    pub epochs: usize,
    /// Wall time of training and growing.
    pub seconds: f64,
    /// Of it, growing.
    pub growing_seconds: f64,
    /// Predicted and measured decrease of each growth that was made.
    pub decreases: Vec<(f64, f64)>,
    /// Growth steps that were refused.
    pub refused: usize,
    /// Accuracy on held samples when each of [`CURVE`] equal parts of the cost is spent.
    pub curve: Vec<f64>,
}

/// Trains the network of `arm` within `multiple` times the start's cost, or the target's.
pub(super) fn measured(
    context: &UnitContext,
    recipe: &Recipe,
    arm: &Arm<'_>,
    multiple: Option<f64>,
    rate: f64,
    seed: u64,
) -> Result<Measured, ExperimentError> {
    let sets = Sets::of(&recipe.data, seed, context)?;
    let job = Job {
        context,
        recipe,
        sets: &sets,
        seed,
    };
    let limits = job.limits(&arm.train, multiple)?;
    let ran = job.run(arm, &limits, rate, Stage::Last)?;
    for stage in [".before.checkpoint", ".wide.checkpoint"] {
        let path = context
            .checkpoint
            .with_file_name(format!("{}{stage}", context.unit));
        if path.exists() {
            remove_checkpoint(&path)?;
        }
    }
    job.judge(&ran, &limits, arm)
}

struct Job<'a> {
    context: &'a UnitContext,
    recipe: &'a Recipe,
    sets: &'a Sets,
    seed: u64,
}

/// What a network of the target widths takes.
struct Limits {
    /// The target widths.
    widths: Vec<usize>,
    /// What a network may cost, by the budget's price.
    budget: u64,
    /// Multiply-accumulates of an epoch of training.
    epoch: u64,
    /// Those of the whole run.
    training: u64,
}

/// Which of a unit's runs one is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The one that is judged.
    Last,
    /// Of the method whose widths the last has.
    Before,
    /// Before it is pruned.
    Wide,
}

/// A network after its run.
struct Ran {
    model: AnyModel,
    /// One after the other, where a network was pruned between them.
    states: Vec<GrowerState>,
    steps: Vec<Vec<usize>>,
    seconds: f64,
}

impl Job<'_> {
    fn run(
        &self,
        arm: &Arm<'_>,
        limits: &Limits,
        rate: f64,
        stage: Stage,
    ) -> Result<Ran, ExperimentError> {
        let start = || self.initial(&self.start(arm)?);
        match arm.method.way {
            Way::Scratch => {
                let widths = match &arm.method.widths_of {
                    Some(name) => {
                        let first = self.recipe.arm(name)?;
                        let found = self.run(&first, limits, first.method.rate, Stage::Before)?;
                        self.widths(&found.model)?
                    }
                    None => limits.widths.clone(),
                };
                self.trained(
                    self.initial(&widths)?,
                    self.config(arm, limits, rate, false)?,
                    arm,
                    stage,
                )
            }
            Way::Start => {
                self.trained(start()?, self.config(arm, limits, rate, false)?, arm, stage)
            }
            Way::Grown => self.trained(start()?, self.config(arm, limits, rate, true)?, arm, stage),
            Way::Pruned => self.pruned(arm, limits, rate),
        }
    }

    /// A wide network that loses channels on its way.
    fn pruned(&self, arm: &Arm<'_>, limits: &Limits, rate: f64) -> Result<Ran, ExperimentError> {
        let prune = &arm.method.prune;
        let wide = self.widest(&limits.widths, (limits.budget as f64 * prune.from) as u64)?;
        let wide = sparse(self.initial(&wide)?, prune.sparsity)?;
        let first = (limits.training as f64 * prune.at) as u64;
        let before = self
            .config(arm, limits, rate, false)?
            .with_training_macs(first.max(1))
            .with_learning_rate(RateSchedule::constant(rate)?);
        let mut ran = self.trained(wide, before, arm, Stage::Wide)?;
        let graph = trace(&ran.model, &self.sets.held)?;
        let within = |model: &AnyModel| Ok(self.price(model)? <= limits.budget);
        let narrow = pruned(&ran.model, graph.graph(), prune.ranking, within)?;
        let spent = ran.states.iter().map(|state| state.training_macs).sum();
        let left = limits.training.saturating_sub(spent).max(1);
        // The same schedule over the whole cost: what is left of it.
        let at = spent as f64 / limits.training as f64;
        let from = ((0.6 - at) / (1.0 - at)).max(0.0);
        let decay = Decay::Cosine {
            from,
            to: 1.0,
            last: 0.0,
        };
        let after = self
            .config(arm, limits, rate, false)?
            .with_training_macs(left)
            .with_learning_rate(RateSchedule::constant(rate)?.with_decay(Span::Run, decay)?);
        let rest = self.trained(sparse(narrow, 0.0)?, after, arm, Stage::Last)?;
        ran.model = rest.model;
        ran.states.extend(rest.states);
        ran.steps.extend(rest.steps);
        ran.seconds += rest.seconds;
        Ok(ran)
    }

    /// Trains, and grows where `config` says so, until the cost is spent.
    fn trained(
        &self,
        model: AnyModel,
        config: GrowerConfig,
        arm: &Arm<'_>,
        stage: Stage,
    ) -> Result<Ran, ExperimentError> {
        let mut steps = vec![self.widths(&model)?];
        let started = Instant::now();
        let unit = &self.context.unit;
        let file = |end: &str| {
            self.context
                .checkpoint
                .with_file_name(format!("{unit}{end}"))
        };
        // A method's own run has the unit's name; one before it, or the first part of one that is
        // pruned, a name beside it.
        let (checkpoint, journal) = match stage {
            Stage::Last => (file(".checkpoint"), Some(file(".journal.jsonl"))),
            Stage::Before => (file(".before.checkpoint"), None),
            Stage::Wide => (file(".wide.checkpoint"), None),
        };
        // Quick units take seconds: they are run again.
        let keeps = self.context.settings.scale != Scale::Quick;
        let kept = Kept {
            checkpoint: keeps.then_some(checkpoint.as_path()),
            journal: journal.as_deref(),
        };
        let (model, state) = grow(
            self.context,
            config,
            self.sets.task(),
            model,
            optimizer(&arm.train),
            kept,
        )?;
        let made = state.journal.iter();
        let made = made.filter(|record| record.verdict == Verdict::Committed);
        steps.extend(made.map(|record| {
            let after = record.widths_after.iter();
            after.map(|(_, width)| *width).collect()
        }));
        Ok(Ran {
            model,
            states: vec![state],
            steps,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn config(
        &self,
        arm: &Arm<'_>,
        limits: &Limits,
        rate: f64,
        grows: bool,
    ) -> Result<GrowerConfig, ExperimentError> {
        let how = &arm.grow;
        let mut schedule = schedule(arm.train.schedule, rate)?;
        if let Some(rewarm) = how.rewarm {
            schedule = schedule.with_rewarm(rewarm.factor, rewarm.epochs)?;
        }
        let config = GrowerConfig::new(RandomNeuron::zero_fan_out(), PerLayer::DOUBLE)
            .with_batch_size(arm.train.batch)
            // Units run side by side, and the networks draw nothing.
            .with_device_seeding(false)
            .with_seed(self.seed)
            .with_training_macs(limits.training)
            .with_max_epochs(MOST_EPOCHS)
            .with_learning_rate(schedule)
            .with_optimizer_rules(how.optimizer_rules());
        if !grows {
            return Ok(config.with_max_growths(0));
        }
        let mut config = config
            .with_capture_samples(how.capture)
            .with_search_samples(how.search_on)
            .with_spectrum(SpectrumConfig::default().with_rows(how.rows))
            .with_step_size(how.step_size())
            // A refused step is tried again when the next one is due.
            .with_max_refusals(how.growths + 1)
            .with_trigger(Trigger::Spread {
                growths: how.growths,
                until: how.until,
            });
        config = match self.recipe.budget.price {
            Price::Parameters => config.with_parameter_budget(limits.budget),
            Price::Macs => config.with_cost_budget(Macs, limits.budget),
        };
        if let Some(share) = how.step_share {
            config = config.with_step_share(share);
        }
        config.selector = how.selector()?;
        config.criterion = how.criterion()?;
        Ok(config)
    }

    /// What the run may cost: of the target widths, or of the widest multiple of the start within
    /// so many times its cost.
    fn limits(&self, train: &Train, multiple: Option<f64>) -> Result<Limits, ExperimentError> {
        let net = &self.recipe.net;
        let (widths, budget) = match (multiple, &net.target, &net.start) {
            (Some(multiple), _, Some(start)) => {
                let start = net.widths(start)?;
                let budget = (self.price(&self.initial(&start)?)? as f64 * multiple) as u64;
                (self.widest(&start, budget)?, budget)
            }
            (None, Some(target), _) => {
                let widths = net.widths(target)?;
                let budget = self.price(&self.initial(&widths)?)?;
                (widths, budget)
            }
            _ => {
                return Err(ExperimentError::Settings(
                    "`net` needs `target` widths, or `start` widths and `budget.multiples`".into(),
                ));
            }
        };
        let forward = self.macs(&self.initial(&widths)?)?;
        let epoch = 3 * forward * self.sets.count() as u64;
        Ok(Limits {
            widths,
            budget,
            epoch,
            // A run ends with the epoch in which its cost is spent: half an epoch less lets all
            // methods end at the same cost on average.
            training: epoch * (2 * train.epochs as u64 - 1) / 2,
        })
    }

    /// The widths that are the most tenths of `widths` that a network may have within `budget`.
    fn widest(&self, widths: &[usize], budget: u64) -> Result<Vec<usize>, ExperimentError> {
        let scaled = |tenths: usize| -> Vec<usize> {
            let of = |width: &usize| (width * tenths).div_ceil(10);
            widths.iter().map(of).collect()
        };
        let mut tenths = 10;
        loop {
            let wider = scaled(tenths + 1);
            if self.price(&self.initial(&wider)?)? > budget {
                return Ok(scaled(tenths));
            }
            tenths += 1;
        }
    }

    fn start(&self, arm: &Arm<'_>) -> Result<Vec<usize>, ExperimentError> {
        let net = &self.recipe.net;
        match (
            arm.method.start.as_ref().or(net.start.as_ref()),
            &net.target,
        ) {
            (Some(start), _) => net.widths(start),
            (None, Some(target)) => {
                let widths = net.widths(target)?.into_iter();
                let halved = |width: usize| (width >> arm.grow.growths.min(63)).max(1);
                Ok(widths.map(halved).collect())
            }
            (None, None) => Err(ExperimentError::Settings(
                "`net` needs `start` or `target` widths".into(),
            )),
        }
    }

    fn initial(&self, widths: &[usize]) -> Result<AnyModel, ExperimentError> {
        let backend = self.context.backend.as_ref();
        let net = &self.recipe.net;
        initialise(backend, self.seed, |device| {
            net.make(widths, self.sets.shape, device)
        })
    }

    /// What a network costs by the budget's price.
    fn price(&self, model: &AnyModel) -> Result<u64, ExperimentError> {
        match self.recipe.budget.price {
            Price::Parameters => Ok(parameter_count(model)),
            Price::Macs => self.macs(model),
        }
    }

    /// Multiply-accumulates of a forward pass of one sample.
    fn macs(&self, model: &AnyModel) -> Result<u64, ExperimentError> {
        let one = self.sets.held.subset(&[0])?;
        Ok(Macs.cost(&layer_shapes(model, &one)?))
    }

    fn widths(&self, model: &AnyModel) -> Result<Vec<usize>, ExperimentError> {
        let widths = trace(model, &self.sets.held)?.graph().widths();
        Ok(widths.into_iter().map(|(_, width)| width).collect())
    }

    fn judge(
        &self,
        ran: &Ran,
        limits: &Limits,
        arm: &Arm<'_>,
    ) -> Result<Measured, ExperimentError> {
        let Ran { model, states, .. } = ran;
        let test = evaluate(model, &CrossEntropy, &self.sets.test, 512)?;
        // Training cost before each state's own.
        let before = states.iter().scan(0, |sum, state| {
            let before = *sum;
            *sum += state.training_macs;
            Some(before)
        });
        let epochs: Vec<_> = states
            .iter()
            .zip(before)
            .flat_map(|(state, before)| {
                let own = state.epochs.iter();
                own.map(move |record| (before + record.training_macs, record))
            })
            .collect();
        let journal = || states.iter().flat_map(|state| &state.journal);
        let last = epochs.last().map(|(_, record)| *record);
        let held = last.map(|last| last.held);
        let in_epochs = |macs: u64| macs as f64 / limits.epoch as f64;
        let spent = |part: usize| {
            let until = limits.epoch as f64 * (arm.train.epochs * part) as f64 / CURVE as f64;
            let within = epochs.iter().rev().find(|(macs, _)| *macs as f64 <= until);
            within.or(epochs.first())?.1.held.accuracy
        };
        let made = |verdict: &Verdict| *verdict == Verdict::Committed;
        let decreases = journal().filter(|record| made(&record.verdict));
        let decreases =
            decreases.filter_map(|r| Some((r.predicted_decrease?, r.measured_decrease?)));
        Ok(Measured {
            widths: self.widths(model)?,
            steps: ran.steps.clone(),
            parameters: parameter_count(model),
            macs: self.macs(model)?,
            budget: limits.budget,
            test_accuracy: test.accuracy.unwrap_or_default(),
            test_loss: test.loss,
            held_accuracy: held.and_then(|held| held.accuracy).unwrap_or_default(),
            held_loss: held.map(|held| held.loss).unwrap_or_default(),
            train_loss: last.map(|last| last.train_loss).unwrap_or_default(),
            cost: in_epochs(states.iter().map(|state| state.training_macs).sum()),
            growing_cost: in_epochs(journal().map(|record| record.macs).sum()),
            epochs: states.iter().map(|state| state.epoch).sum(),
            seconds: ran.seconds,
            growing_seconds: journal().map(|record| record.seconds).sum(),
            decreases: decreases.collect(),
            refused: journal().filter(|record| !made(&record.verdict)).count(),
            curve: (1..=CURVE).filter_map(spent).collect(),
        })
    }
}

fn schedule(name: ScheduleName, rate: f64) -> Result<RateSchedule, ExperimentError> {
    let constant = RateSchedule::constant(rate)?;
    Ok(match name {
        ScheduleName::Constant => constant,
        ScheduleName::StableThenDecay => RateSchedule::stable_then_decay(rate)?,
        ScheduleName::Cosine => constant.with_decay(
            Span::Run,
            Decay::Cosine {
                from: 0.0,
                to: 1.0,
                last: 0.0,
            },
        )?,
        ScheduleName::Steps => constant.with_decay(
            Span::Run,
            Decay::Step {
                milestones: vec![0.5, 0.75],
                factor: 0.1,
            },
        )?,
    })
}

fn optimizer(train: &Train) -> ModuleOptimizer {
    let decay = train.weight_decay as f32;
    match train.optimizer {
        OptimizerName::AdamW => AdamWConfig::new().with_weight_decay(decay).init(),
        OptimizerName::Sgd => {
            let momentum = MomentumConfig::new()
                .with_momentum(train.momentum)
                .with_dampening(0.0);
            SgdConfig::new()
                .with_momentum(Some(momentum))
                .with_weight_decay(Some(WeightDecayConfig::new(decay)))
                .init()
        }
    }
}
