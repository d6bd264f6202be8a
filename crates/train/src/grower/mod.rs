//! The grower: train, grow, repeat.

mod checks;
mod growing;
mod identity;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::SplitBackend;
use burgeon_graph::Graph;
use burgeon_nn::growable::{check_reads, copy, evaluate, parameter_count};
use burgeon_nn::{Growable, NnError, Samples, Trace, retrace, trace};
use burn::optim::ModuleOptimizer;

use crate::checkpoint::Checkpoint;
use crate::observer::{Event, Observer};
use crate::rate::RunProgress;
use crate::records::{BestEpoch, EpochRecord, GrowerState, GrowthEnd, GrowthRecord, StopReason};
use crate::settings::{GrowerConfig, Trigger};
use crate::step::GrowthStep;
use crate::task::Task;
use crate::trainer::{PRODUCT, Trainer, first_samples, float_type};
use crate::training_cost::{TRAINING_PASS, forward_macs};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It came to its end.
    Stopped(StopReason),
    /// It was interrupted. It goes on by another [`Grower::run`], or from its checkpoint.
    Interrupted,
}

/// What [`Grower::advance`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// An epoch was trained, the last of [`GrowerState::epochs`].
    Epoch,
    /// A growth step was made or refused, the last of [`GrowerState::journal`].
    GrowthStep,
    /// The run ended.
    Ended(Outcome),
}

/// Trains and grows a model: a [`Trainer`], a [`GrowthStep`] and a schedule. [`GrowerState`] is
/// all there is to save besides weights and optimizer.
///
/// A seed fixes a run bit for bit on one machine and backend: order of samples,
/// captured samples and random choices come from it, and it seeds the device at
/// each epoch for models that draw (dropout); see
/// [`seeds_device`](crate::TrainConfig::seeds_device).
pub struct Grower<M: Growable> {
    config: GrowerConfig,
    trainer: Trainer,
    step: GrowthStep,
    backend: Arc<dyn SplitBackend>,
    task: Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    /// As it was in [`GrowerState::best`].
    best: Option<M>,
    state: GrowerState,
    observers: Vec<Box<dyn Observer>>,
    checkpoint: Option<Checkpoint>,
    replay: Option<VecDeque<GrowthRecord>>,
    /// Whether observers know that the run has started.
    is_running: bool,
    /// Samples to trace by.
    example: Samples<M::Input>,
    /// Of the model as it stands.
    trace: Arc<Trace>,
}

impl<M: Growable> std::fmt::Debug for Grower<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grower")
            .field("config", &self.config)
            .field("backend", &self.backend)
            .field("epoch", &self.state.epoch)
            .finish_non_exhaustive()
    }
}

impl<M: Growable> Grower<M> {
    /// A grower that starts from `model`, which must be on an autodiff device.
    ///
    /// # Errors
    /// [`NnError::Settings`] for settings that contradict each other or the model,
    /// [`NnError::Trace`] or [`NnError::Operation`] for a model that cannot be traced or
    /// replayed, [`NnError::Data`] for targets that do not fit the outputs.
    pub fn new(
        config: GrowerConfig,
        backend: impl SplitBackend + 'static,
        task: Task<M::Input>,
        model: M,
        optimizer: ModuleOptimizer,
    ) -> Result<Self, NnError> {
        Self::shared(config, Arc::new(backend), task, model, optimizer)
    }

    /// As [`new`](Self::new), for a backend chosen at run time, which others may use too.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shared(
        config: GrowerConfig,
        backend: Arc<dyn SplitBackend>,
        task: Task<M::Input>,
        model: M,
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
        })
    }

    /// Adds an observer.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Ends the run, as it was at the end of the last epoch, once `interrupt` is set.
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.trainer = self.trainer.interrupt_by(interrupt);
        self
    }

    /// Keeps the run's state in the file `path`, after each epoch and growth, and in
    /// `path.history` beside it. If the file is there already, the run goes on from it, to the
    /// same result as if it had never stopped. Limits may be others than the run was begun with:
    /// whether it is at its end is judged anew.
    ///
    /// # Errors
    /// [`NnError::File`] if the file is damaged or foreign, another run has it, or it is of a run
    /// with other settings, samples, optimizer or layers, with what differs.
    pub fn checkpoint_at(mut self, path: impl Into<PathBuf>) -> Result<Self, NnError> {
        let mut checkpoint = Checkpoint::open(path, self.identity()?)?;
        if let Some(restored) = checkpoint.load(&self.model, &self.optimizer)? {
            self.replace_model(restored.model.rebuilt())?;
            self.best = restored.best.map(Growable::rebuilt);
            self.optimizer = restored.optimizer;
            self.state = GrowerState {
                epochs: restored.epochs,
                journal: restored.growths,
                ..restored.state
            };
        }
        self.checkpoint = Some(checkpoint);
        Ok(self)
    }

    /// Makes the growths of a journal instead of searching for any: with the same
    /// model, data and settings this rebuilds the journal's network, bit for bit.
    pub fn replay(mut self, journal: Vec<GrowthRecord>) -> Self {
        self.replay = Some(journal.into());
        self
    }

    /// What the model as it stands computes, and where it may grow.
    pub fn graph(&self) -> &Graph {
        self.trace.graph()
    }

    /// The model as it stands.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model at the end of the epoch of least held loss, [`GrowerState::best`]; before the
    /// first epoch the model as it stands.
    pub fn best_model(&self) -> &M {
        self.best.as_ref().unwrap_or(&self.model)
    }

    /// The model, at the end.
    pub fn into_model(self) -> M {
        self.model
    }

    /// The state as it stands.
    pub fn state(&self) -> &GrowerState {
        &self.state
    }

    /// Runs to the end, or until interrupted. Of a run that has ended it is judged anew whether it
    /// has.
    ///
    /// # Errors
    /// [`NnError::Diverged`] if the loss is not finite; whatever an observer or the
    /// file system reports. The last checkpoint stays.
    pub fn run(&mut self) -> Result<Outcome, NnError> {
        loop {
            if let Advance::Ended(outcome) = self.advance()? {
                return Ok(outcome);
            }
        }
    }

    /// One epoch or one growth step of a run, for those who want to look at the model in between:
    /// [`run`](Self::run) is this until the run ends.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn advance(&mut self) -> Result<Advance, NnError> {
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
        let held = evaluate(&self.model, objective, &self.task.held, batch_size)?;
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
    fn replace_model(&mut self, model: M) -> Result<(), NnError> {
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

    /// The checkpoint's file, if the run keeps one.
    pub fn checkpoint_path(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(Checkpoint::path)
    }
}
