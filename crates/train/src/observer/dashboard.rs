//! Burn's own dashboard on the terminal.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_nn::NnError;
use burn::train::Interrupter;
use burn::train::metric::{
    MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer, default_renderer};

use super::{Event, Observer};
use crate::records::{EpochRecord, Verdict};

/// Items of a part of an epoch: it is shown once it is over.
const WHOLE: usize = 1;

/// Shows a run in Burn's dashboard: losses, accuracy and parameters over the epochs, growths as a
/// count. Where the output is no terminal it is lines.
///
/// The dashboard's own *stop* ends the run at the end of an epoch, as an interrupt does; its *kill*
/// is a panic of Burn's, after which the run goes on from its last checkpoint.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::AtomicBool;
///
/// use burgeon_train::observer::Dashboard;
///
/// let interrupt = Arc::new(AtomicBool::new(false));
/// let dashboard = Dashboard::new(100, interrupt.clone());
/// // grower.interrupt_by(interrupt).observe(dashboard)
/// # drop(dashboard);
/// ```
pub struct Dashboard {
    renderer: Box<dyn MetricsRenderer>,
    interrupter: Interrupter,
    interrupt: Arc<AtomicBool>,
    epochs: usize,
    /// What became of each growth.
    growths: Vec<&'static str>,
}

impl Debug for Dashboard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard")
            .field("epochs", &self.epochs)
            .finish_non_exhaustive()
    }
}

/// What is shown over the epochs.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Loss,
    Accuracy,
    Parameters,
}

impl Shown {
    const ALL: [Self; 3] = [Self::Loss, Self::Accuracy, Self::Parameters];

    const fn name(self) -> &'static str {
        match self {
            Self::Loss => "Loss",
            Self::Accuracy => "Accuracy",
            Self::Parameters => "Parameters",
        }
    }

    fn id(self) -> MetricId {
        MetricId::new(Arc::new(self.name().to_owned()))
    }

    fn definition(self) -> MetricDefinition {
        let (unit, higher_is_better) = match self {
            Self::Loss | Self::Parameters => (None, false),
            Self::Accuracy => (Some("%".to_owned()), true),
        };
        MetricDefinition {
            metric_id: self.id(),
            name: Arc::new(self.name().to_owned()),
            description: None,
            attributes: NumericAttributes {
                unit,
                higher_is_better,
            }
            .into(),
        }
    }

    fn state(self, value: f64) -> MetricState {
        let formatted = match self {
            Self::Loss => format!("{value:.4}"),
            Self::Accuracy => format!("{value:.2} %"),
            Self::Parameters => format!("{value}"),
        };
        let entry = SerializedEntry {
            formatted,
            serialized: value.to_string(),
        };
        MetricState::Numeric(
            MetricEntry::new(self.id(), entry),
            Some(NumericEntry::Value(value)),
        )
    }
}

impl Dashboard {
    /// A dashboard of a run of so many epochs, which sets `interrupt` when it is told to stop.
    pub fn new(epochs: usize, interrupt: Arc<AtomicBool>) -> Self {
        let interrupter = Interrupter::new();
        Self {
            renderer: default_renderer(interrupter.clone(), None),
            interrupter,
            interrupt,
            epochs,
            growths: Vec::new(),
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let renderer = &mut self.renderer;
        renderer.start_split("train", WHOLE);
        renderer.update_train(Shown::Loss.state(record.train_loss));
        renderer.update_train(Shown::Parameters.state(record.parameters as f64));
        renderer.update_split(WHOLE);
        renderer.end_split();
        self.count_growths();
        let renderer = &mut self.renderer;
        renderer.start_split("valid", WHOLE);
        renderer.update_valid(Shown::Loss.state(record.held.loss));
        if let Some(accuracy) = record.held.accuracy {
            renderer.update_valid(Shown::Accuracy.state(100.0 * accuracy));
        }
        renderer.update_split(WHOLE);
        renderer.end_split();
        renderer.update_epoch(record.epoch);
        self.count_growths();
        if self.interrupter.should_stop() {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    /// Burn's dashboard forgets its counts at the end of each part of an epoch.
    fn count_growths(&mut self) {
        for growth in &self.growths {
            self.renderer.log_event_training((*growth).to_owned());
        }
    }

    fn end(&mut self) -> Result<(), NnError> {
        self.renderer.end();
        let ended = self.renderer.on_train_end(None);
        ended.map_err(|error| NnError::Settings(format!("the dashboard cannot be closed: {error}")))
    }
}

impl Observer for Dashboard {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        match event {
            Event::Started(state) => {
                for shown in Shown::ALL {
                    self.renderer.register_metric(shown.definition());
                }
                self.renderer
                    .start(self.epochs, state.epoch, None, Some("growing"));
            }
            Event::Epoch(record) => self.epoch(record),
            Event::Growth(record) => {
                let growth = match record.verdict {
                    Verdict::Committed => "growths",
                    _ => "growths refused",
                };
                self.growths.push(growth);
                self.renderer.log_event_training(growth.to_owned());
            }
            Event::GrowingEnded(_) => {}
            Event::Stopped(_) | Event::Interrupted => self.end()?,
        }
        Ok(())
    }
}
