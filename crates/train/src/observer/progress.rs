//! A progress bar.

use indicatif::{ProgressBar, ProgressStyle};

use burgeon_nn::NnError;

use super::{Event, Observer};
use crate::records::Verdict;

/// Shows epochs on an indicatif bar, and each growth as a line above it.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar of `epochs` on standard error.
    pub fn new(epochs: usize) -> Self {
        Self::on(ProgressBar::new(epochs as u64))
    }

    /// The given bar, which may be part of an indicatif `MultiProgress`.
    pub fn on(bar: ProgressBar) -> Self {
        let template = "{prefix}[{elapsed_precise}] {bar:24} {pos}/{len} epochs  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Observer for Progress {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        match event {
            Event::Started(state) => self.bar.set_position(state.epoch as u64),
            Event::Epoch(record) => {
                let accuracy = record.held.accuracy;
                let held = match accuracy {
                    Some(accuracy) => format!("held accuracy {:.2} %", 100.0 * accuracy),
                    None => format!("held loss {:.4}", record.held.loss),
                };
                self.bar.set_position(record.epoch as u64);
                self.bar.set_message(format!(
                    "loss {:.4}, {held}, {} parameters",
                    record.train_loss, record.parameters
                ));
            }
            Event::Growth(record) => {
                let widths: Vec<String> = record
                    .widths_after
                    .iter()
                    .map(|(name, width)| format!("{name} {width}"))
                    .collect();
                self.bar.println(match record.verdict {
                    Verdict::Committed => format!(
                        "epoch {:>3}: +{} neurons at ε = {:.3}, held loss {:.4} → {:.4}; {}",
                        record.epoch,
                        record.plan.added_neurons(),
                        record.epsilon,
                        record.held_loss_before,
                        record.held_loss_after,
                        widths.join(", ")
                    ),
                    _ => format!("epoch {:>3}: no growth: {}", record.epoch, record.verdict),
                });
            }
            Event::GrowingEnded(end) => self.bar.println(format!("growing ends: {end}")),
            Event::Stopped(reason) => self.bar.finish_with_message(reason.to_string()),
            Event::Interrupted => self.bar.abandon_with_message("interrupted"),
        }
        Ok(())
    }
}
