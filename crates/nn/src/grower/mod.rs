//! The grower: train, capture, score, select, operate, line-search, repeat.

mod checks;
mod config;
mod growth;
mod identity;
mod step;
mod widths;

pub use crate::records::{
    EpochRecord, GrowerState, GrowthRecord, SiteGrowth, StopReason, Trial, Verdict,
};
pub use crate::search::LineSearch;
pub use config::{Accept, GrowerConfig, LearningRate, Limits, SearchSamples, StepSize, Trigger};
pub use step::{fit_budget, fit_cost_budget, line_search, output_change_at_zero, preview};
pub use widths::WidthLimits;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_core::SplitBackend;
use burgeon_graph::Graph;
use burgeon_ops::precision::{narrowed, widened};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, Restored};
use crate::checkpointing;
use crate::copies::detached;
use crate::cost::graph_layers;
use crate::error::NnError;
use crate::growable::{
    Growable, check_reads, evaluate, parameter_count, predict_batch, predict_inputs, scalar,
};
use crate::objective::Objective;
use crate::observer::{Event, Observer};
use crate::ports::Input;
use crate::samples::Samples;
use crate::trace::{Trace, trace, uncompared};
use config::Values;

/// The type of products in mixed precision: it has the range of f32, so that gradients need no
/// scaling.
const PRODUCT: DType = DType::BF16;

/// What a model is trained on.
#[derive(Debug)]
pub struct Task<I> {
    /// The loss.
    pub objective: Box<dyn Objective>,
    /// The samples that training sees and sites are captured on.
    pub train: Samples<I>,
    /// The samples that choose ε and judge growth and accuracy; never the test set.
    pub held: Samples<I>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It came to its end.
    Stopped(StopReason),
    /// It was interrupted, and can be resumed from its checkpoint.
    Interrupted,
}

/// Grows a model: it owns the loop, and [`GrowerState`] is all there is to save
/// besides weights and optimizer.
///
/// A seed fixes a run bit for bit on one machine and backend: order of samples,
/// captured samples and random choices come from it, and it seeds the device at
/// each epoch for models that draw (dropout); see
/// [`with_device_seeding`](GrowerConfig::with_device_seeding).
pub struct Grower<M: Growable> {
    config: GrowerConfig,
    backend: Arc<dyn SplitBackend>,
    task: Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    state: GrowerState,
    observers: Vec<Box<dyn Observer>>,
    checkpoint: Option<Checkpoint>,
    /// Whether the end of the last epoch is to be judged again, by other limits.
    judge_again: bool,
    interrupt: Option<Arc<AtomicBool>>,
    replay: Option<VecDeque<GrowthRecord>>,
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
        let dtype = checks::check_types(&model)?;
        config.check(parameter_count(&model))?;
        if config.values.mixed_precision && !backend.device().supports_dtype(PRODUCT) {
            return Err(NnError::Settings(format!(
                "the device {} does not compute in {PRODUCT:?}: train without mixed precision",
                backend.name()
            )));
        }
        checks::check_devices(&model, backend.as_ref(), &task)?;
        step::check_finite(&model)?;
        for samples in [&task.train, &task.held] {
            let batch_size = config.values.batch_size;
            check_reads(&model.valid(), task.objective.as_ref(), samples, batch_size)?;
        }
        let trace = config.values.widths.apply(trace(&model, &task.train)?)?;
        if config.criterion.needs_curvature() {
            checks::check_curvature(&model, &trace, backend.as_ref(), &task)?;
        }
        if let Some(dtype) = dtype {
            checks::check_optimizer_type(&model, dtype, &optimizer, &task)?;
        }
        if let Some(budget) = config.values.cost_budget {
            let cost = config.cost.cost(&graph_layers(trace.graph()));
            if budget < cost {
                return Err(NnError::Settings(format!(
                    "the budget of {budget} {unit} is below the start network's {cost}: raise the \
                     budget or start smaller",
                    unit = config.cost.unit()
                )));
            }
        }
        Ok(Self {
            config,
            backend,
            task,
            model,
            optimizer,
            state: GrowerState::default(),
            observers: Vec::new(),
            checkpoint: None,
            judge_again: false,
            interrupt: None,
            replay: None,
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
        self.interrupt = Some(interrupt);
        self
    }

    /// Keeps the run's state in the file `path`, after each epoch, and in `path.history` beside
    /// it. If the file is there already, the run goes on from it, to the same result as if it had
    /// never stopped. Limits may be others than the run was begun with: whether it is at its end
    /// is judged anew.
    ///
    /// # Errors
    /// [`NnError::File`] if the file is damaged or foreign, another run has it, or it is of a run
    /// with other settings, samples, optimizer or layers, with what differs.
    pub fn checkpoint_at(mut self, path: impl Into<PathBuf>) -> Result<Self, NnError> {
        let mut checkpoint = Checkpoint::open(path, self.identity()?)?;
        if let Some(restored) = checkpoint.load(&self.model, &self.optimizer)? {
            self.resume(restored)?;
        }
        self.checkpoint = Some(checkpoint);
        Ok(self)
    }

    fn resume(
        &mut self,
        restored: Restored<M, Saved, EpochRecord, GrowthRecord>,
    ) -> Result<(), NnError> {
        self.replace_model(restored.model.rebuilt())?;
        self.optimizer = restored.optimizer;
        let Saved {
            state,
            limits,
            judge_again,
        } = restored.state;
        self.state = GrowerState {
            epochs: restored.epochs,
            journal: restored.growths,
            ..state
        };
        self.judge_again = judge_again;
        if limits != self.limits() {
            self.judge_again |= self.state.stopped.take().is_some();
            if !self.judge_again {
                self.state.stopped = self.finished();
            }
        }
        Ok(())
    }

    /// What may change between two parts of a run.
    fn limits(&self) -> (Limits, Option<u64>) {
        let values = &self.config.values;
        (values.limits, values.cost_budget)
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

    fn trace(&self) -> Result<Arc<Trace>, NnError> {
        Ok(self.trace.clone())
    }

    /// Goes on with `model`, which is traced anew.
    fn replace_model(&mut self, model: M) -> Result<(), NnError> {
        // That a replay answers as the model does was checked when the run began.
        let trace = uncompared(&model, &self.task.train)?;
        self.trace = self.config.values.widths.apply(trace)?;
        self.model = model;
        Ok(())
    }

    /// The model as it stands.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model, at the end.
    pub fn into_model(self) -> M {
        self.model
    }

    /// The state as it stands.
    pub fn state(&self) -> &GrowerState {
        &self.state
    }

    /// Runs to the end, or until interrupted.
    ///
    /// # Errors
    /// [`NnError::Diverged`] if the loss is not finite; whatever an observer or the
    /// file system reports. The last checkpoint stays.
    pub fn run(&mut self) -> Result<Outcome, NnError> {
        self.save()?;
        let state = self.state.clone();
        self.notify(Event::Started(&state))?;
        loop {
            if let Some(reason) = self.state.stopped.clone() {
                self.notify(Event::Stopped(&reason))?;
                return Ok(Outcome::Stopped(reason));
            }
            let judge_again = std::mem::take(&mut self.judge_again);
            if !judge_again && !self.train_epoch()? {
                self.notify(Event::Interrupted)?;
                return Ok(Outcome::Interrupted);
            }
            if let Some(reason) = self.finished() {
                self.state.stopped = Some(reason);
            } else if let Some(trigger) = self.triggered() {
                self.grow(&trigger)?;
            }
            self.save()?;
        }
    }

    /// Trains one epoch; `false` if it was interrupted, with nothing changed.
    fn train_epoch(&mut self) -> Result<bool, NnError> {
        let Values {
            batch_size, seed, ..
        } = self.config.values;
        let epoch = self.state.epoch + 1;
        let learning_rate = self.config.values.learning_rate.at(self.state.phase_epoch);
        let order = stream(seed, "order", epoch);
        if self.config.values.seeds_device {
            self.backend.device().seed(stream(seed, "device", epoch));
        }
        let device = self.model.devices().into_iter().next();
        let device = device.unwrap_or_else(|| self.backend.device().autodiff());
        let dtype = checks::check_types(&self.model)?.unwrap_or(DType::F32);
        // Burn's clones of a model share its running statistics, which training changes.
        let before = self.interrupt.is_some().then(|| {
            let copy = checkpointing::as_in(detached(&self.model), &self.model);
            (copy, self.optimizer.clone())
        });
        let mut losses = Vec::new();
        for batch in self.task.train.shuffled_batches(batch_size, order) {
            let interrupt = self.interrupt.as_ref();
            if interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
                if let Some(before) = before {
                    (self.model, self.optimizer) = before;
                }
                return Ok(false);
            }
            let size = batch.len();
            let batch = batch.to_autodiff_of(&device);
            let (loss, gradients) = match self.config.values.mixed_precision {
                true => {
                    let narrow = narrowed(&self.model, PRODUCT);
                    let inputs = batch.inputs().clone().cast_floats(PRODUCT);
                    let output = predict_inputs(&narrow, inputs, &batch)?.cast(dtype);
                    let loss = self.task.objective.loss(output, batch.targets());
                    let gradients = self.minimised(&narrow, &loss);
                    (loss, widened(gradients, &self.model))
                }
                false => {
                    let output = predict_batch(&self.model, &batch)?;
                    let loss = self.task.objective.loss(output, batch.targets());
                    let gradients = self.minimised(&self.model, &loss);
                    (loss, gradients)
                }
            };
            self.model = self
                .optimizer
                .step(learning_rate, self.model.clone(), gradients);
            losses.push((loss.inner(), size));
        }
        let mut total = 0.0;
        for (loss, size) in losses {
            total += scalar::<f64>(loss.try_into_scalar())? * size as f64;
        }
        let train_loss = total / self.task.train.len() as f64;
        if !train_loss.is_finite() {
            return Err(NnError::Diverged {
                epoch,
                loss: train_loss,
            });
        }
        let held = evaluate(
            &self.model,
            self.task.objective.as_ref(),
            &self.task.held,
            batch_size,
        )?;
        if !held.loss.is_finite() {
            return Err(NnError::Diverged {
                epoch,
                loss: held.loss,
            });
        }
        let record = EpochRecord {
            epoch,
            train_loss,
            held,
            learning_rate,
            parameters: parameter_count(&self.model),
        };
        self.state.epoch = epoch;
        self.state.phase_epoch += 1;
        self.track_stall(train_loss);
        self.state.epochs.push(record);
        self.notify(Event::Epoch(&record_of(&self.state)))?;
        Ok(true)
    }

    /// Gradients of `loss` and the penalty by the parameters of `model`.
    fn minimised(&self, model: &M, loss: &Tensor<1>) -> GradientsParams {
        let minimised = match model.penalty() {
            Some(penalty) => loss.clone() + penalty.cast(loss.dtype()),
            None => loss.clone(),
        };
        GradientsParams::from_grads(minimised.backward(), model)
    }

    fn track_stall(&mut self, loss: f64) {
        let Trigger::Stall { min_decrease, .. } = self.config.values.trigger else {
            return;
        };
        let progress = self
            .state
            .best_loss
            .is_none_or(|best| loss < best - min_decrease * best.abs());
        if progress {
            self.state.best_loss = Some(loss);
            self.state.stalled = 0;
        } else {
            self.state.stalled += 1;
        }
    }

    fn finished(&self) -> Option<StopReason> {
        let limits = &self.config.values.limits;
        let accuracy = self.state.epochs.last().and_then(|last| last.held.accuracy);
        match (limits.target_accuracy, accuracy) {
            (Some(target), Some(accuracy)) if accuracy >= target => {
                Some(StopReason::TargetAccuracy)
            }
            _ if self.state.epoch >= limits.max_epochs => Some(StopReason::EpochLimit),
            _ => None,
        }
    }

    fn triggered(&self) -> Option<String> {
        match self.config.values.trigger {
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

    fn save(&mut self) -> Result<(), NnError> {
        let (limits, judge_again) = (self.limits(), self.judge_again);
        let Some(checkpoint) = &mut self.checkpoint else {
            return Ok(());
        };
        let state = GrowerState {
            epoch: self.state.epoch,
            phase_epoch: self.state.phase_epoch,
            growths: self.state.growths,
            refusals: self.state.refusals,
            best_loss: self.state.best_loss,
            stalled: self.state.stalled,
            stopped: self.state.stopped.clone(),
            // These are in the checkpoint's history.
            epochs: Vec::new(),
            journal: Vec::new(),
        };
        checkpoint.save(
            &self.model,
            &self.optimizer,
            &Saved {
                state,
                limits,
                judge_again,
            },
            &self.state.epochs,
            &self.state.journal,
        )
    }

    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        for observer in &mut self.observers {
            observer.notify(event)?;
        }
        Ok(())
    }

    /// The checkpoint's file, if the run keeps one.
    pub fn checkpoint_path(&self) -> Option<&Path> {
        self.checkpoint.as_ref().map(Checkpoint::path)
    }
}

/// What a checkpoint holds of a state.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    /// Without its epochs and its journal.
    state: GrowerState,
    limits: (Limits, Option<u64>),
    judge_again: bool,
}

fn record_of(state: &GrowerState) -> EpochRecord {
    state.epochs[state.epochs.len() - 1].clone()
}

/// An independent seed for each purpose and index (FNV-1a).
pub(crate) fn stream(seed: u64, purpose: &str, index: usize) -> u64 {
    let bytes = seed
        .to_le_bytes()
        .into_iter()
        .chain(purpose.bytes())
        .chain((index as u64).to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
