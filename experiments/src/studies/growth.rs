//! What the growing studies share.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use burgeon_core::SplitBackend;
use burgeon_nn::{Growable, NnError};
use burgeon_train::observer::{Event, Journal, Observer};
use burgeon_train::{
    EpochRecord, Fitted, Grower, GrowerConfig, GrowerState, Outcome, Task, TrainConfig, Trainer,
};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;

use crate::error::ExperimentError;
use crate::study::{UnitContext, UnitEvent};

/// Burn draws initial weights from one generator for the whole process, so only one
/// model at a time is made.
static INITIALISING: Mutex<()> = Mutex::new(());

/// Makes a model whose initial weights follow from `seed`, on the training device.
pub(crate) fn initialise<M: Growable>(
    backend: &dyn SplitBackend,
    seed: u64,
    make: impl FnOnce(&Device) -> Result<M, NnError>,
) -> Result<M, ExperimentError> {
    let _guard = INITIALISING.lock().unwrap_or_else(PoisonError::into_inner);
    let device = backend.device();
    device.seed(seed);
    let model = make(&device.autodiff())?;
    // Parameters are drawn when they are first read.
    burgeon_nn::growable::is_finite(&model);
    Ok(model)
}

fn report(unit: &str, progress: &Sender<UnitEvent>, record: &EpochRecord) {
    let held = match record.held.accuracy {
        Some(accuracy) => format!("held accuracy {:.2} %", 100.0 * accuracy),
        None => format!("held loss {:.4}", record.held.loss),
    };
    let (epoch, parameters) = (record.epoch, record.parameters);
    let line = format!("{unit}: epoch {epoch}, {held}, {parameters} parameters");
    // Nobody listening is no reason to stop.
    let _ = progress.send(UnitEvent::Progress(line));
}

/// Tells how a unit goes, an epoch a line.
struct ProgressReporter {
    unit: String,
    progress: Sender<UnitEvent>,
}

impl Observer for ProgressReporter {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(record) = event {
            report(&self.unit, &self.progress, record);
        }
        Ok(())
    }
}

/// Trains a model for so many epochs, without growth.
pub(crate) fn train<M: Growable>(
    context: &UnitContext,
    config: TrainConfig,
    task: &Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    epochs: usize,
) -> Result<(M, Vec<EpochRecord>), ExperimentError> {
    let config = TrainConfig {
        mixed_precision: context.settings.mixed_precision,
        ..config
    };
    let trainer = Trainer::new(config)?.interrupt_by(context.interrupt.clone());
    let mut watch = |record: &EpochRecord| report(&context.unit, &context.progress, record);
    let fitted = trainer.fit(model, optimizer, task, epochs, &mut watch)?;
    let Fitted { model, records } = fitted.ok_or(ExperimentError::Interrupted)?;
    Ok((model, records))
}

/// The files in which a run keeps itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept<'a> {
    /// Its state, from which it goes on after a kill.
    pub checkpoint: Option<&'a Path>,
    /// Its growths, for the report.
    pub journal: Option<&'a Path>,
}

/// Grows a model to its end.
pub(crate) fn grow<M: Growable>(
    context: &UnitContext,
    config: GrowerConfig,
    task: Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    kept: Kept<'_>,
) -> Result<(M, GrowerState), ExperimentError> {
    let config = config.with_mixed_precision(context.settings.mixed_precision);
    let mut grower = Grower::shared(config, context.backend.clone(), task, model, optimizer)?
        .interrupt_by(context.interrupt.clone())
        .observe(ProgressReporter {
            unit: context.unit.clone(),
            progress: context.progress.clone(),
        });
    if let Some(journal) = kept.journal {
        grower = grower.observe(Journal::new(journal));
    }
    if let Some(checkpoint) = kept.checkpoint {
        grower = grower.checkpoint_at(checkpoint)?;
    }
    match grower.run()? {
        Outcome::Stopped(_) => {
            let state = grower.state().clone();
            Ok((grower.into_model(), state))
        }
        Outcome::Interrupted => Err(ExperimentError::Interrupted),
    }
}
