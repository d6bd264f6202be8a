//! `burgeon predict FOLDER FILE`.

use burgeon_predictor::{Prediction, Predictor};
use clap::Args;

use super::Trained;
use crate::error::CliError;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    trained: Trained,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Prints a line for each row, below a line of names: a class with its probability, or a number.
pub fn run(options: &Options) -> Result<(), CliError> {
    let trained = &options.trained;
    let predictor = Predictor::load(&trained.folder, trained.parameters)?;
    let records = trained.reading.records(&trained.file)?;
    let predictions = predictor.predict(&records)?;
    let column = predictor.schema().target.column();
    let mut lines = Vec::new();
    if !options.json {
        lines.push(match predictions.first() {
            Some(Prediction::Class { .. }) => format!("{},probability", cell(column)),
            _ => cell(column),
        });
    }
    for prediction in &predictions {
        lines.push(match (options.json, prediction) {
            (true, prediction) => {
                serde_json::to_string(prediction).map_err(CliError::file(&trained.file))?
            }
            (false, Prediction::Class { class, probability }) => {
                format!("{},{probability:.4}", cell(class))
            }
            (false, Prediction::Number { value }) => value.to_string(),
        });
    }
    burgeon_terminal::line(lines.join("\n"))?;
    Ok(())
}

/// A text as a cell of CSV.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
