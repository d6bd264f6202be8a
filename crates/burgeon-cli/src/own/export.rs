//! `burgeon export FOLDER --format onnx --out FILE`.

use std::path::PathBuf;

use burgeon_predictor::{Format, Predictor};
use clap::{Args, ValueEnum};

use crate::error::CliError;

#[derive(Debug, Args)]
pub struct Options {
    /// The folder that `burgeon grow --out` wrote
    folder: PathBuf,
    /// How the network is written: onnx (for any runtime), safetensors (as Burn has it), or
    /// pytorch (a state dict in safetensors, and a Python file that loads it)
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    Onnx,
    Safetensors,
    Pytorch,
}

/// Writes the network and says which files it is.
pub fn run(options: &Options) -> Result<(), CliError> {
    let format = match options.format {
        Written::Onnx => Format::Onnx,
        Written::Safetensors => Format::Safetensors,
        Written::Pytorch => Format::Pytorch,
    };
    let predictor = Predictor::load(&options.folder, options.parameters)?;
    for file in predictor.export(format, &options.out, options.force)? {
        burgeon_terminal::line(file.display())?;
    }
    Ok(())
}
