//! A run as it goes on, whatever the type of its model is.

mod checks;
mod growing;
mod identity;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::{SplitBackend, Team};
use burgeon_graph::Graph;
use burgeon_nn::growable::{check_reads, copy, evaluate_in, parameter_count};
use burgeon_nn::{AnyInput, AnyModel, Growable, NnError, Samples, Trace, retrace, trace};
use burn::module::Module;
use burn::optim::ModuleOptimizer;

use super::{Advance, Outcome};
use crate::checkpoint::{Checkpoint, received};
use crate::observer::{Event, Observer};
use crate::ranks::{agreed, check_same, decided};
use crate::rate::RunProgress;
use crate::records::{BestEpoch, EpochRecord, GrowerState, GrowthEnd, GrowthRecord, StopReason};
use crate::settings::{GrowerConfig, Trigger};
use crate::step::GrowthStep;
use crate::task::Task;
use crate::trainer::{PRODUCT, Trainer, first_samples, float_type};
use crate::training_cost::{TRAINING_PASS, forward_macs};

/// What a [`Grower`](super::Grower) does, for models of all types: compiled once.
pub(super) struct Run {
    config: GrowerConfig,
    trainer: Trainer,
    step: GrowthStep,
    backend: Arc<dyn SplitBackend>,
    task: Task<AnyInput>,
    model: AnyModel,
    optimizer: ModuleOptimizer,
    /// As it was in [`GrowerState::best`].
    best: Option<AnyModel>,
    state: GrowerState,
    observers: Vec<Box<dyn Observer>>,
    checkpoint: Option<Checkpoint>,
    replay: Option<VecDeque<GrowthRecord>>,
    /// Whether observers know that the run has started.
    is_running: bool,
    /// Samples to trace by.
    example: Samples<AnyInput>,
    /// Of the model as it stands.
    trace: Arc<Trace>,
    team: Option<Team>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grower")
            .field("config", &self.config)
            .field("backend", &self.backend)
            .field("epoch", &self.state.epoch)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// As [`Grower::shared`](super::Grower::shared).
    pub(super) fn new(
        config: GrowerConfig,
        backend: Arc<dyn SplitBackend>,
        task: Task<AnyInput>,
        model: AnyModel,
        optimizer: ModuleOptimizer,
    ) -> Result<Self, NnError> {
        if !model.devices().iter().all(|device| device.is_autodiff()) {
            return Err(NnError::Settings(
                "the model must be on a training device: initialise it on `device.autodiff()`"
                    .into(),
            ));
        }
        let dtype = float_type(&model)?;
        let trainer = Trainer::new(config.train.clone())?;
        config.growth.check()?;
        config.schedule.check()?;
        if config.train.mixed_precision && !backend.device().supports_dtype(PRODUCT) {
            return Err(NnError::Settings(format!(
                "the device {} does not compute in {PRODUCT:?}: train without mixed precision",
                backend.name()
            )));
        }
        checks::check_finite(&model)?;
        let batch_size = config.train.batch_size;
        let first = first_samples(task.train.as_ref(), batch_size)?;
        checks::check_devices(&model, backend.as_ref(), [&first, &task.held])?;
        for samples in [&first, &task.held] {
            check_reads(&model.valid(), task.objective.as_ref(), samples, batch_size)?;
        }
        let target = config.schedule.target_accuracy;
        checks::check_objective(&model, &task, &first, target)?;
        let trace = config.growth.widths.apply(trace(&model, &first)?)?;
        let step = GrowthStep::of(&config);
        if step.needs().spectra {
            let objective = task.objective.as_ref();
            let backend = backend.as_ref();
            burgeon_nn::capture::check_curvature(&model, &trace, objective, &first, backend)?;
        }
        if step.needs().places {
            checks::check_places(trace.graph())?;
        }
        let (graph, rules) = (trace.graph(), &config.optimizer_rules);
        checks::check_optimizer(&model, graph, dtype, &optimizer, &task, &first, rules)?;
        let parameters = parameter_count(&model);
        config
            .budget
            .check(trace.graph(), parameters, &config.cost)?;
        Ok(Self {
            trainer,
            step,
            config,
            backend,
            task,
            model,
            optimizer,
            best: None,
            state: GrowerState::default(),
            observers: Vec::new(),
            checkpoint: None,
            replay: None,
            is_running: false,
            example: first.subset(&[0])?,
            trace,
            team: None,
        })
    }

    pub(super) fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    pub(super) fn interrupt_by(&mut self, interrupt: Arc<AtomicBool>) {
        self.trainer = self.trainer.clone().interrupt_by(interrupt);
    }

    /// As [`Grower::with_team`](super::Grower::with_team).
    pub(super) fn share(&mut self, team: Team) -> Result<(), NnError> {
        if self.checkpoint.is_some() {
            return Err(NnError::Settings(
                "the run keeps a checkpoint already: say `with_team` before `checkpoint_at`".into(),
            ));
        }
        check_same(&team, &self.model)?;
        self.trainer = self.trainer.clone().with_team(team.clone());
        self.step = self.step.clone().with_team(team.clone());
        self.team = Some(team);
        Ok(())
    }

    /// As [`Grower::checkpoint_at`](super::Grower::checkpoint_at).
    pub(super) fn checkpoint_at(&mut self, path: PathBuf) -> Result<(), NnError> {
        let identity = self.identity()?;
        let decides = self.team.as_ref().is_none_or(Team::decides);
        let mut restored = None;
        if decides {
            let mut checkpoint = Checkpoint::open(&path, identity.clone())?;
            restored = checkpoint.load(&self.model, &self.optimizer)?;
            self.checkpoint = Some(checkpoint);
        }
        if let Some(team) = self.team.as_ref().filter(|team| team.ranks() > 1) {
            // Others may not see the file.
            let bytes = match &self.checkpoint {
                Some(checkpoint) => checkpoint.bytes()?.unwrap_or_default(),
                None => Vec::new(),
            };
            let bytes = decided(team, bytes)?;
            let history = restored.as_ref();
            let history = history.map(|own| (own.epochs.clone(), own.growths.clone()));
            let history = agreed(Some(team), history.unwrap_or_default())?;
            if !decides && !bytes.is_empty() {
                let (model, optimizer) = (&self.model, &self.optimizer);
                let run = received(&path, &identity, &bytes, history, model, optimizer)?;
                restored = Some(run);
            }
        }
        if let Some(restored) = restored {
            self.replace_model(restored.model.rebuilt())?;
            self.best = restored.best.map(Growable::rebuilt);
            self.optimizer = restored.optimizer;
            self.state = GrowerState {
                epochs: restored.epochs,
                journal: restored.growths,
                ..restored.state
            };
        }
        Ok(())
    }

    /// Makes these growths instead of searching for any.
    pub(super) fn replay(&mut self, journal: Vec<GrowthRecord>) {
        self.replay = Some(journal.into());
    }

    pub(super) fn graph(&self) -> &Graph {
        self.trace.graph()
    }

    pub(super) fn model(&self) -> &AnyModel {
        &self.model
    }

    pub(super) fn best_model(&self) -> &AnyModel {
        self.best.as_ref().unwrap_or(&self.model)
    }

    pub(super) fn into_model(self) -> AnyModel {
        self.model
    }

    pub(super) fn state(&self) -> &GrowerState {
        &self.state
    }

    pub(super) fn checkpoint_path(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(Checkpoint::path)
    }

    /// As [`Grower::advance`](super::Grower::advance).
    pub(super) fn advance(&mut self) -> Result<Advance, NnError> {
        if !self.is_running {
            self.judge_anew();
            self.save()?;
            let state = self.state.clone();
            self.notify(Event::Started(&state))?;
        }
        // Whatever ends here, an error too, starts anew.
        self.is_running = false;
        let advance = self.next()?;
        self.is_running = !matches!(advance, Advance::Ended(_));
        Ok(advance)
    }

    fn next(&mut self) -> Result<Advance, NnError> {
        self.state.stopped = self.finished();
        if let Some(reason) = self.state.stopped.clone() {
            self.save()?;
            self.notify(Event::Stopped(&reason))?;
            return Ok(Advance::Ended(Outcome::Stopped(reason)));
        }
        let due = match self.state.growing_ended {
            None => self.triggered(),
            Some(_) => None,
        };
        let advance = if let Some(trigger) = due {
            self.grow(&trigger)?;
            Advance::GrowthStep
        } else if self.train_epoch()? {
            Advance::Epoch
        } else {
            self.notify(Event::Interrupted)?;
            return Ok(Advance::Ended(Outcome::Interrupted));
        };
        self.save()?;
        Ok(advance)
    }

    /// Whether growing has ended is another question once limits are others.
    fn judge_anew(&mut self) {
        let most = self.config.schedule.max_refusals;
        let goes_on = match &self.state.growing_ended {
            Some(GrowthEnd::Refused(_)) => self.state.refusals < most,
            Some(_) => self.growing_ends().is_none() && self.replay.is_none(),
            None => false,
        };
        if goes_on {
            self.state.growing_ended = None;
        }
    }

    /// Trains one epoch; `false` if it was interrupted, with nothing changed.
    fn train_epoch(&mut self) -> Result<bool, NnError> {
        let epoch = self.state.epoch + 1;
        let progress = RunProgress {
            epoch: self.state.epoch,
            growths: self.state.growths,
            phase_epoch: self.state.phase_epoch,
            spent: self.spent(),
        };
        let schedule = &self.config.train.learning_rate;
        let learning_rate = schedule.rate(&progress, &self.state.plateau);
        let (objective, samples) = (self.task.objective.as_ref(), self.task.train.as_ref());
        let (model, optimizer) = (&mut self.model, &mut self.optimizer);
        let trainer = &self.trainer;
        let (at, newborn) = ((epoch, learning_rate), &mut self.state.newborn);
        let loss = trainer.epoch_with(model, optimizer, objective, samples, at, newborn)?;
        let Some(train_loss) = loss else {
            return Ok(false);
        };
        let batch_size = self.config.train.batch_size;
        let team = self.team.as_ref();
        let held = evaluate_in(&self.model, objective, &self.task.held, batch_size, team)?;
        if !held.loss.is_finite() {
            return Err(NnError::Diverged {
                epoch,
                loss: held.loss,
            });
        }
        let pass = forward_macs(self.trace.graph()).saturating_mul(TRAINING_PASS);
        let macs = pass.saturating_mul(self.task.train.len() as u64);
        self.state.training_macs = self.state.training_macs.saturating_add(macs);
        let record = EpochRecord {
            epoch,
            train_loss,
            held,
            learning_rate,
            parameters: parameter_count(&self.model),
            training_macs: self.state.training_macs,
        };
        self.state.epoch = epoch;
        self.state.phase_epoch += 1;
        let schedule = &self.config.train.learning_rate;
        schedule.observe(train_loss, &mut self.state.plateau);
        self.track(&record);
        self.state.epochs.push(record.clone());
        self.notify(Event::Epoch(&record))?;
        Ok(true)
    }

    /// Takes note of progress.
    fn track(&mut self, record: &EpochRecord) {
        let (state, held) = (&mut self.state, record.held.loss);
        if state.best.is_none_or(|best| held < best.loss) {
            let (epoch, loss) = (record.epoch, held);
            state.best = Some(BestEpoch { epoch, loss });
            self.best = Some(copy(&self.model));
        }
        if state.least_held.is_none_or(|least| held < least) {
            state.least_held = Some(held);
            state.without_progress = 0;
        } else {
            state.without_progress += 1;
        }
        let Trigger::Stall { min_decrease, .. } = self.config.schedule.trigger else {
            return;
        };
        let loss = record.train_loss;
        let best = state.best_loss;
        if best.is_none_or(|best| loss < best - min_decrease * best.abs()) {
            state.best_loss = Some(loss);
            state.stalled = 0;
        } else {
            state.stalled += 1;
        }
    }

    /// Why the run has ended, if it has.
    fn finished(&self) -> Option<StopReason> {
        let (schedule, state) = (&self.config.schedule, &self.state);
        let accuracy = state.epochs.last().and_then(|last| last.held.accuracy);
        let reached = |target: f64| accuracy.is_some_and(|accuracy| accuracy >= target);
        let spent = |most: u64| state.training_macs >= most;
        let waits = |patience: usize| state.without_progress >= patience;
        if schedule.target_accuracy.is_some_and(reached) {
            return Some(StopReason::TargetAccuracy);
        }
        if state.epoch >= schedule.max_epochs {
            return Some(StopReason::EpochLimit);
        }
        if self.config.budget.training_macs.is_some_and(spent) {
            return Some(StopReason::TrainingCost);
        }
        if schedule.patience.is_some_and(waits) {
            return Some(StopReason::NoProgress);
        }
        let ended = state.growing_ended.clone();
        let ended = ended.filter(|_| schedule.ends_with_growth);
        ended.map(StopReason::GrowthEnded)
    }

    /// The share of the run's budget that is spent: of its epochs, or of its training cost where
    /// that is more.
    fn spent(&self) -> f64 {
        let state = &self.state;
        let epochs = state.epoch as f64 / self.config.schedule.max_epochs as f64;
        let cost = self.config.budget.training_macs;
        let cost = cost.map_or(0.0, |most| state.training_macs as f64 / most as f64);
        epochs.max(cost).min(1.0)
    }

    fn triggered(&self) -> Option<String> {
        match self.config.schedule.trigger {
            Trigger::Spread { growths, until } => {
                let next = self.state.journal.len() + 1;
                let due = until * next as f64 / growths as f64;
                let is_due = next <= growths && self.spent() >= due;
                is_due.then(|| format!("growth {next} of {growths}"))
            }
            Trigger::Every { epochs } => {
                (self.state.phase_epoch >= epochs).then(|| format!("every {epochs} epochs"))
            }
            Trigger::Stall {
                patience,
                max_epochs,
                ..
            } => {
                if self.state.stalled >= patience {
                    Some(format!("training loss stalled for {patience} epochs"))
                } else if self.state.phase_epoch >= max_epochs {
                    Some(format!("{max_epochs} epochs since the last growth"))
                } else {
                    None
                }
            }
        }
    }

    /// Goes on with `model`, which is traced anew.
    fn replace_model(&mut self, model: AnyModel) -> Result<(), NnError> {
        // That a replay answers as the model does was checked when the run began.
        let trace = retrace(&model, &self.example)?;
        self.trace = self.config.growth.widths.apply(trace)?;
        self.model = model;
        Ok(())
    }

    fn save(&mut self) -> Result<(), NnError> {
        let Some(checkpoint) = &mut self.checkpoint else {
            return Ok(());
        };
        // These are in the checkpoint's history.
        let epochs = std::mem::take(&mut self.state.epochs);
        let journal = std::mem::take(&mut self.state.journal);
        let (model, best) = (&self.model, self.best.as_ref());
        let saved = checkpoint.save(model, best, &self.optimizer, &self.state, &epochs, &journal);
        (self.state.epochs, self.state.journal) = (epochs, journal);
        saved
    }

    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        for observer in &mut self.observers {
            observer.notify(event)?;
        }
        Ok(())
    }

    fn end_growing(&mut self, end: GrowthEnd) -> Result<(), NnError> {
        self.state.growing_ended = Some(end.clone());
        self.notify(Event::GrowingEnded(&end))
    }
}
