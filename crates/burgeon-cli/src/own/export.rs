//! `burgeon export FOLDER --format onnx --out FILE`.

use std::path::PathBuf;

use burgeon_predictor::{Export, Format, Precision, Predictor, Score, note_int8};
use burgeon_run::command_line::Reading;
use clap::{Args, ValueEnum};

use super::{percent, records};
use crate::error::CliError;

#[derive(Debug, Args)]
pub struct Options {
    /// The folder that `burgeon grow --out` wrote
    folder: PathBuf,
    /// How the network is written: onnx (for any runtime), safetensors (as Burn has it, for
    /// `burgeon-run`), or pytorch (a state dict in safetensors, and a Python file that loads it)
    #[arg(long, value_enum)]
    format: Written,
    /// The file; beside it goes a description (.json), and for pytorch a program (.py)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Take the network with so many parameters, of those that growing passed
    #[arg(long)]
    parameters: Option<u64>,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
    /// Write the weights of linear layers and convolutions as int8; how good the network is on
    /// `--on` before and after is printed, and written into the model card
    #[arg(long, requires = "on")]
    int8: bool,
    /// The data that int8 weights are judged on
    #[arg(long, value_name = "FILE", requires = "int8")]
    on: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    Onnx,
    Safetensors,
    Pytorch,
}

/// Writes the network and says which files it is.
pub fn run(options: &Options) -> Result<(), CliError> {
    let mut export = Export::new(match options.format {
        Written::Onnx => Format::Onnx,
        Written::Safetensors => Format::Safetensors,
        Written::Pytorch => Format::Pytorch,
    });
    export.overwrites = options.force;
    let predictor = Predictor::load(&options.folder, options.parameters)?;
    let Some(data) = options.on.as_ref().filter(|_| options.int8) else {
        return written(&predictor, export, options);
    };
    export.precision = Precision::Int8;
    let records = records(&options.reading, data)?;
    let before = predictor.evaluate(&records)?;
    let after = predictor.quantised()?.evaluate(&records)?;
    written(&predictor, export, options)?;
    let said = format!(
        "{} parameters, int8 weights with a scale for each output, judged on {}: {} before, {} \
         after.",
        predictor.parameters(),
        data.display(),
        shown(&before),
        shown(&after)
    );
    note_int8(&options.folder, &said)?;
    burgeon_terminal::line(said)?;
    Ok(())
}

fn written(predictor: &Predictor, export: Export, options: &Options) -> Result<(), CliError> {
    for file in predictor.export(export, &options.out)? {
        burgeon_terminal::line(file.display())?;
    }
    Ok(())
}

/// A score in a few words.
fn shown(score: &Score) -> String {
    match score {
        Score::Classes { accuracy, loss, .. } => {
            format!("accuracy {} (cross-entropy {loss:.4})", percent(*accuracy))
        }
        Score::Numbers {
            root_mean_squared_error,
            ..
        } => format!("root mean squared error {root_mean_squared_error:.6}"),
    }
}
