//! The project's own jobs: `cargo xtask COMMAND`.

mod data;
mod error;
mod golden;
mod render;
mod reproduce;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use error::XtaskError;

/// Burgeon's own jobs; what a user calls is `burgeon`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the experiments and write tables, figures and a manifest
    Reproduce(reproduce::Options),
    /// Print a command for each unit of an experiment, for many machines
    Units(reproduce::units::UnitsOptions),
    /// Run one unit of an experiment, unless it has a result
    Unit(reproduce::units::UnitOptions),
    /// List, fetch or verify data sets
    Data(data::Options),
    /// Compare with reference values of a directory that holds an index.json
    Golden(golden::Options),
}

/// Where data sets lie: `BURGEON_DATA`, or `data` in the current folder.
fn data_directory() -> PathBuf {
    std::env::var_os("BURGEON_DATA").map_or_else(|| PathBuf::from("data"), PathBuf::from)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Reproduce(options) => {
            interrupt_flag().and_then(|interrupt| reproduce::run(&options, &interrupt))
        }
        Command::Units(options) => reproduce::units::list(&options),
        Command::Unit(options) => {
            interrupt_flag().and_then(|interrupt| reproduce::units::run(&options, &interrupt))
        }
        Command::Data(options) => data::run(&options),
        Command::Golden(options) => golden::run(&options),
    };
    match result {
        Err(error) if burgeon_terminal::warn_of(&error, error.output()) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once.
fn interrupt_flag() -> Result<Arc<AtomicBool>, XtaskError> {
    let flag = Arc::new(AtomicBool::new(false));
    let handler = flag.clone();
    ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        burgeon_terminal::note(
            "\ninterrupted: finishing at the last checkpoint (Ctrl-C again ends at once)",
        );
    })
    .map_err(|error| XtaskError::Signal(error.to_string()))?;
    Ok(flag)
}
