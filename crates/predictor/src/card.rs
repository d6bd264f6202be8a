//! The model card.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::architecture::Kind;
use crate::error::{PredictorError, io};
use crate::run::{Folder, Summary, write};
use burgeon_run::{ColumnEncoding, InputSchema, Schema, TargetSchema};

/// What a person who is handed the folder wants to know.
pub(crate) fn card(schema: &Schema, kind: Kind, summary: &Summary) -> String {
    let mut text = String::from("# Model card\n\n");
    let network = match kind {
        Kind::Mlp => "an MLP (linear layers with ReLU)",
        Kind::Cnn => "a CNN (3×3 convolutions with BatchNorm and ReLU)",
        Kind::Layers => "the layers listed in `predictor.json`, and a linear layer",
    };
    let predicts = match &schema.target {
        TargetSchema::Classes { column, names } => {
            format!("`{column}`, one of {} classes: {}", names.len(), few(names))
        }
        TargetSchema::Number { column, .. } => format!("the number `{column}`"),
    };
    let from = match &schema.inputs {
        InputSchema::Columns(columns) => {
            let names: Vec<String> = columns.iter().map(named).collect();
            format!("{} columns: {}", names.len(), few(&names))
        }
        InputSchema::Images {
            shape: [c, h, w], ..
        } => {
            format!("images of {h} × {w} pixels with {c} channels")
        }
    };
    let lines = [
        ("Network", network.to_owned()),
        ("Predicts", predicts),
        ("From", from),
        ("Data", summary.data.clone()),
        (
            "Rows",
            format!(
                "{} trained on, {} held out",
                summary.train_rows, summary.held_rows
            ),
        ),
        ("Budget", summary.settings.budget.to_string()),
        (
            "Growth",
            match (summary.settings.growths, summary.settings.lanes) {
                (0, _) => "none: trained from scratch".to_owned(),
                (growths, 1) => format!("{growths} times all layers double"),
                (growths, lanes) => {
                    format!("{growths} times all layers double, to multiples of {lanes} lanes")
                }
            },
        ),
        ("Seed", summary.settings.seed.to_string()),
        (
            "Training",
            format!(
                "{} multiply-accumulates; {}",
                summary.training_macs, summary.ended
            ),
        ),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "- **{name}**: {value}");
    }
    if let Some(timing) = &summary.timing {
        let _ = writeln!(
            text,
            "- **Latency**: predicted {timing}; measured at the end."
        );
    }
    text += "\nStandardisation, categories and class names are in `predictor.json`.\n\n\
             ## Sizes\n\nEach was passed while growing, at its best epoch on the held rows; any of \
             them can be taken\n(`burgeon predict FOLDER FILE --parameters N`). The chosen one is \
             the best of all on the held rows, so\nits held figures are a little too good.\n\n\
             | parameters | hidden layers | MACs | predicted ms | measured ms | epoch | held loss | \
             held accuracy | |\n|---|---|---|---|---|---|---|---|---|\n";
    for size in &summary.sizes {
        let widths: Vec<String> = size
            .widths
            .iter()
            .map(|(_, width)| width.to_string())
            .collect();
        let accuracy = size.held_accuracy.map_or_else(
            || "–".to_owned(),
            |accuracy| format!("{:.2} %", 100.0 * accuracy),
        );
        let chosen = if size.parameters == summary.best {
            "chosen"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.4} | {accuracy} | {chosen} |",
            size.parameters,
            widths.join("-"),
            size.macs,
            milliseconds(size.latency.map(|latency| latency.predicted)),
            milliseconds(size.latency.map(|latency| latency.measured)),
            size.epoch,
            size.held_loss
        );
    }
    text
}

/// What the section of int8 weights is called.
const INT8: &str = "\n## With int8 weights\n\n";

/// `card` with what is said of the network with int8 weights, in place of what was said before.
fn with_int8(card: &str, said: &str) -> String {
    let before = card.split(INT8).next().unwrap_or_default();
    format!("{before}{INT8}{said}\n")
}

/// Writes into the model card of the run in `folder` what is `said` of it with int8 weights.
///
/// # Errors
/// [`PredictorError::Io`] where there is no card, or none can be written.
pub fn note_int8(folder: &Path, said: &str) -> Result<(), PredictorError> {
    let path = Folder::open(folder)?.card();
    let card = fs::read_to_string(&path).map_err(io(&path))?;
    write(&path, with_int8(&card, said).as_bytes())
}

/// A time, where there is one.
fn milliseconds(nanoseconds: Option<u64>) -> String {
    nanoseconds.map_or_else(|| "–".to_owned(), |n| format!("{:.4}", n as f64 / 1e6))
}

fn named(column: &ColumnEncoding) -> String {
    match column {
        ColumnEncoding::Number { column, .. } => column.clone(),
        ColumnEncoding::Categories { column, categories } => {
            format!("{column} ({} categories)", categories.len())
        }
    }
}

/// The first ones of many.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}
