//! The command `burgeon-run FILE DATA`.

use std::path::PathBuf;
use std::process::ExitCode;

use burgeon_run::command_line::{Reading, lines};
use burgeon_run::{RunError, Runner};
use clap::Parser;

/// Predict with a network that `burgeon export --format safetensors` wrote.
///
/// Prints a line for each row, below a line of names: a class with its probability, or a number.
#[derive(Debug, Parser)]
#[command(name = "burgeon-run", version)]
struct Options {
    /// The network
    network: PathBuf,
    /// A CSV file, a NumPy archive, an IDX file of images, or a folder of images
    data: PathBuf,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: Reading,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Err(error) if burgeon_terminal::warn_of(&error, output(&error)) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn run(options: &Options) -> Result<(), RunError> {
    let runner = Runner::open(&options.network)?;
    let records = options.reading.records(&options.data)?;
    let predictions = runner.predict(&records)?;
    let lines = lines(&runner.schema().target, &predictions, options.json);
    Ok(burgeon_terminal::line(lines.join("\n"))?)
}

/// The failure to print, if it is one.
fn output(error: &RunError) -> Option<&burgeon_terminal::OutputError> {
    match error {
        RunError::Output(error) => Some(error),
        _ => None,
    }
}
