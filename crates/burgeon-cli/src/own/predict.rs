//! `burgeon predict FOLDER FILE`.

use burgeon_predictor::Predictor;
use burgeon_run::command_line::lines;
use clap::Args;

use super::{Trained, records};
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
    let records = records(&trained.reading, &trained.file)?;
    let predictions = predictor.predict(&records)?;
    let lines = lines(&predictor.schema().target, &predictions, options.json);
    burgeon_terminal::line(lines.join("\n"))?;
    Ok(())
}
