//! The grower: train, grow, repeat.

mod run;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_core::{SplitBackend, Team};
use burgeon_graph::Graph;
use burgeon_nn::{AnyModel, Growable, NnError};
use burn::optim::ModuleOptimizer;

use self::run::Run;
use crate::observer::Observer;
use crate::records::{GrowerState, GrowthRecord, StopReason};
use crate::settings::GrowerConfig;
use crate::task::Task;

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

/// Trains and grows a model: a [`Trainer`](crate::Trainer), a [`GrowthStep`](crate::GrowthStep)
/// and a schedule. [`GrowerState`] is all there is to save besides weights and optimizer.
///
/// A seed fixes a run bit for bit on one machine and backend: order of samples,
/// captured samples and random choices come from it, and it seeds the device at
/// each epoch for models that draw (dropout); see
/// [`seeds_device`](crate::TrainConfig::seeds_device).
pub struct Grower<M: Growable> {
    run: Run,
    /// Of the model in `run`.
    model: PhantomData<fn() -> M>,
}

impl<M: Growable> std::fmt::Debug for Grower<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.run.fmt(f)
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
        let model = AnyModel::new(model)?;
        Ok(Self {
            run: Run::new(config, backend, task.into_any(), model, optimizer)?,
            model: PhantomData,
        })
    }

    /// Adds an observer.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.run.observe(Box::new(observer));
        self
    }

    /// Ends the run, as it was at the end of the last epoch, once `interrupt` is set.
    pub fn interrupt_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.run.interrupt_by(interrupt);
        self
    }

    /// Trains and grows on all ranks of `team`, which must make the same grower and the same calls.
    /// Batches, captured samples and searches are shared out among them piece by piece; what the
    /// first rank chooses is what all do, and after each growth all weights are compared. A run on
    /// one rank and on many comes to the same bits; one without a team, whose batches are whole, to
    /// others.
    ///
    /// Checkpoints are the first rank's, and so are observers: add them there alone. A run goes on
    /// from its checkpoint on another number of ranks, with as many logical shards. What models it
    /// takes [`Trainer::with_team`](crate::Trainer::with_team) says.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use burgeon_core::world::{Alone, Team};
    /// use burgeon_train::Grower;
    /// # use burgeon_nn::{Growable, NnError};
    ///
    /// # fn on_one_rank<M: Growable>(grower: Grower<M>) -> Result<(), NnError> {
    /// // Elsewhere the world is one of MPI.
    /// let team = Team::new(Arc::new(Alone)).map_err(burgeon_core::CoreError::from)?;
    /// let mut grower = grower.with_team(team)?.checkpoint_at("run.safetensors")?;
    /// grower.run()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NnError::Ranks`] if the models differ, [`NnError::Settings`] if the run keeps a checkpoint
    /// already, [`NnError::Core`] if a rank is gone.
    pub fn with_team(mut self, team: Team) -> Result<Self, NnError> {
        self.run.share(team)?;
        Ok(self)
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
        self.run.checkpoint_at(path.into())?;
        Ok(self)
    }

    /// Makes the growths of a journal instead of searching for any: with the same
    /// model, data and settings this rebuilds the journal's network, bit for bit.
    pub fn replay(mut self, journal: Vec<GrowthRecord>) -> Self {
        self.run.replay(journal);
        self
    }

    /// What the model as it stands computes, and where it may grow.
    pub fn graph(&self) -> &Graph {
        self.run.graph()
    }

    /// The model as it stands.
    pub fn model(&self) -> &M {
        typed(self.run.model())
    }

    /// The model at the end of the epoch of least held loss, [`GrowerState::best`]; before the
    /// first epoch the model as it stands.
    pub fn best_model(&self) -> &M {
        typed(self.run.best_model())
    }

    /// The model, at the end.
    pub fn into_model(self) -> M {
        match self.run.into_model().downcast() {
            Ok(model) => model,
            Err(_) => unreachable!("{OF_TYPE}"),
        }
    }

    /// The state as it stands.
    pub fn state(&self) -> &GrowerState {
        self.run.state()
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
        self.run.advance()
    }

    /// The checkpoint's file, if the run keeps one.
    pub fn checkpoint_path(&self) -> Option<&Path> {
        self.run.checkpoint_path()
    }
}

/// Surgery and files change what is in a model, never its type.
const OF_TYPE: &str = "a grower's model has the type that it began with";

/// The model of a grower.
fn typed<M: Growable>(model: &AnyModel) -> &M {
    match model.downcast_ref() {
        Some(model) => model,
        None => unreachable!("{OF_TYPE}"),
    }
}
