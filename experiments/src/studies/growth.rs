//! What the growing studies share.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use burgeon_core::SplitBackend;
use burgeon_nn::grower::{GrowerState, Outcome};
use burgeon_nn::observer::{Event, Journal, Observer};
use burgeon_nn::{Growable, Grower, GrowerConfig, NnError, Task};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;

use crate::error::ExperimentError;
use crate::study::{UnitContext, UnitEvent};

/// Burn draws initial weights from one generator for the whole process, so only one
/// model at a time is made.
static INITIALISING: Mutex<()> = Mutex::new(());

/// Makes a model whose initial weights follow from `seed`, on the training device.
pub(super) fn initialise<M: Growable>(
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

/// Tells how a unit goes, an epoch a line.
struct ProgressReporter {
    unit: String,
    progress: Sender<UnitEvent>,
}

impl Observer for ProgressReporter {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(record) = event {
            let held = match record.held.accuracy {
                Some(accuracy) => format!("held accuracy {:.2} %", 100.0 * accuracy),
                None => format!("held loss {:.4}", record.held.loss),
            };
            let line = format!(
                "{}: epoch {}, {held}, {} parameters",
                self.unit, record.epoch, record.parameters
            );
            // Nobody listening is no reason to stop.
            let _ = self.progress.send(UnitEvent::Progress(line));
        }
        Ok(())
    }
}

/// Grows (or, without growths allowed, trains) a model to its end. A growing run keeps a
/// checkpoint, from which it goes on, and its journal.
pub(super) fn grow<M: Growable>(
    context: &UnitContext,
    config: GrowerConfig,
    task: Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    growing: bool,
) -> Result<(M, GrowerState), ExperimentError> {
    let config = config.with_mixed_precision(context.settings.mixed_precision);
    let mut grower = Grower::boxed(config, context.backend()?, task, model, optimizer)?
        .interrupt_by(context.interrupt.clone())
        .observe(ProgressReporter {
            unit: context.unit.clone(),
            progress: context.progress.clone(),
        });
    if growing {
        grower = grower
            .observe(Journal::new(
                context.checkpoint.with_extension("journal.jsonl"),
            ))
            .checkpoint_at(&context.checkpoint)?;
    }
    match grower.run()? {
        Outcome::Stopped(_) => {
            let state = grower.state().clone();
            Ok((grower.into_model(), state))
        }
        Outcome::Interrupted => Err(ExperimentError::Interrupted),
    }
}
