//! The sizes of a run as a table: `burgeon grow` at its end, and `burgeon summary FOLDER`.

use std::path::Path;

use burgeon_predictor::{Predictor, Size, Summary, summary_of};
use burgeon_terminal::Table;

use super::percent;
use crate::error::CliError;
use crate::text::grouped;

/// Prints the run in `folder`, with what a pass of each size takes on this machine.
pub fn of_run(folder: &Path, json: bool) -> Result<(), CliError> {
    let summary = summary_of(folder)?;
    if json {
        let text = serde_json::to_string(&summary).map_err(CliError::file(folder))?;
        burgeon_terminal::line(text)?;
        return Ok(());
    }
    let measured = summary.sizes.iter().map(|size| {
        let predictor = Predictor::load(folder, Some(size.parameters))?;
        Ok(predictor.latency())
    });
    let measured: Vec<u64> = measured.collect::<Result<_, CliError>>()?;
    print(&summary, folder, Some(&measured))
}

/// A time in milliseconds, without its unit.
fn shown(nanoseconds: Option<u64>) -> String {
    nanoseconds.map_or_else(|| "–".into(), |n| format!("{:.4}", n as f64 / 1e6))
}

/// Prints the sizes of a run, with their measured latencies where there are any.
pub fn print(summary: &Summary, folder: &Path, measured: Option<&[u64]>) -> Result<(), CliError> {
    let out = folder.display();
    let predicts = summary.sizes.iter().any(|size| size.latency.is_some());
    let row = |(number, size): (usize, &Size)| {
        let widths: Vec<String> = size.widths.iter().map(|(_, w)| w.to_string()).collect();
        let accuracy = size.held_accuracy.map_or_else(|| "–".into(), percent);
        let mut cells = vec![
            size.parameters.to_string(),
            widths.join("-"),
            grouped(size.macs),
        ];
        let kept = size.latency.map(|latency| latency.measured);
        if predicts {
            cells.push(shown(size.latency.map(|latency| latency.predicted)));
        }
        if predicts || measured.is_some() {
            let now = measured.and_then(|all| all.get(number)).copied();
            cells.push(shown(now.or(kept)));
        }
        let chosen = match size.parameters == summary.best {
            true => "chosen",
            false => "",
        };
        cells.extend([
            size.epoch.to_string(),
            format!("{:.4}", size.held_loss),
            accuracy,
            chosen.to_owned(),
        ]);
        cells
    };
    let rows: Vec<Vec<String>> = summary.sizes.iter().enumerate().map(row).collect();
    let mut columns = vec!["parameters", "hidden", "MACs"];
    if predicts {
        columns.push("predicted ms");
    }
    if predicts || measured.is_some() {
        columns.push("measured ms");
    }
    columns.extend(["epoch", "held loss", "held accuracy", ""]);
    let columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
    let mut notes = Vec::new();
    if let (Some(start), Some(from)) = (&summary.start, &summary.settings.start) {
        let accuracy = start.held_accuracy.map(percent);
        notes.push(format!(
            "Started from {} with {} parameters; before training its held loss was {:.4}{}.",
            from.display(),
            start.parameters,
            start.held_loss,
            accuracy.map_or_else(String::new, |share| format!(", its held accuracy {share}"))
        ));
    }
    if let Some(timing) = &summary.timing {
        notes.push(format!("Predicted {timing}."));
    }
    if predicts || measured.is_some() {
        notes.push(
            "Measured: one forward pass of one row on this machine, on flex, the median of 7 to \
             51 passes."
                .into(),
        );
    }
    notes.push(format!(
        "Each at its best epoch on the held rows; ended: {}. `burgeon predict {out} FILE` takes \
         the chosen one, `--parameters N` another. More: {out}/MODEL_CARD.md.",
        summary.ended
    ));
    let table = Table {
        title: &format!(
            "Sizes that growing passed: {} rows trained on, {} held out",
            summary.train_rows, summary.held_rows
        ),
        columns: &columns,
        rows: &rows,
        notes: &notes,
    };
    table.print()?;
    Ok(())
}
