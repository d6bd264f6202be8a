//! What the growing studies share.

use std::sync::{Mutex, PoisonError};

use burgeon_core::SplitBackend;
use burgeon_nn::grower::{GrowerState, Outcome};
use burgeon_nn::{Growable, Grower, GrowerConfig, NnError, Task};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;

use crate::error::ExperimentError;
use crate::study::UnitContext;

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

/// Grows (or, without growths allowed, trains) a model to its end, going on from the
/// unit's checkpoint if there is one.
pub(super) fn grow<M: Growable>(
    context: &UnitContext,
    config: GrowerConfig,
    task: Task<M::Input>,
    model: M,
    optimizer: ModuleOptimizer,
    keep_checkpoint: bool,
) -> Result<(M, GrowerState), ExperimentError> {
    let mut grower = Grower::boxed(config, context.backend()?, task, model, optimizer)?
        .interrupt_by(context.interrupt.clone());
    if keep_checkpoint {
        grower = grower.checkpoint_at(&context.checkpoint)?;
    }
    match grower.run()? {
        Outcome::Stopped(_) => {
            let state = grower.state().clone();
            Ok((grower.into_model(), state))
        }
        Outcome::Interrupted => Err(ExperimentError::Interrupted),
    }
}
