//! Watching a fit.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use burgeon::prelude::*;

use crate::error::PredictorError;

/// How a fit is watched and ended.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Whether a bar on standard error shows epochs and growths.
    pub shows_progress: bool,
    /// Whether Burn's dashboard on the terminal shows them instead; needs the feature `dashboard`.
    pub shows_dashboard: bool,
    /// Ends the fit once it is set; it goes on when it is begun again.
    pub interrupt: Option<Arc<AtomicBool>>,
    /// The fit ends after about so long, at the end of an epoch.
    pub time: Option<Duration>,
}

impl Watch {
    /// # Errors
    /// [`PredictorError::Settings`] for a dashboard that the program was built without.
    pub(crate) fn check(&self) -> Result<(), PredictorError> {
        match self.shows_dashboard && !cfg!(feature = "dashboard") {
            true => Err(PredictorError::Settings(
                "this program was built without the dashboard: build it with `cargo build \
                 --release --features dashboard`"
                    .into(),
            )),
            false => Ok(()),
        }
    }

    /// `grower` with what shows its epochs.
    pub(crate) fn observe<M: Growable>(&self, grower: Grower<M>, epochs: usize) -> Grower<M> {
        #[cfg(feature = "dashboard")]
        if self.shows_dashboard {
            let interrupt = self.interrupt.clone().unwrap_or_default();
            let dashboard = burgeon::train::observer::Dashboard::new(epochs, interrupt.clone());
            return grower.interrupt_by(interrupt).observe(dashboard);
        }
        match self.shows_progress {
            true => grower.observe(Progress::new(epochs)),
            false => grower,
        }
    }
}
