//! The project's command line: `cargo xtask COMMAND`.

mod cost;
mod data;
mod doctor;
mod error;
mod golden;
mod manifest;
mod render;
mod reproduce;
mod spectrum;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use error::XtaskError;

/// Tells `cargo xtask spectrum` its peak memory.
#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Burgeon: grow neural networks instead of guessing their size.
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
    /// List, fetch or verify data sets
    Data(data::Options),
    /// Which devices, drivers and runtimes are usable, and whether they compute right
    Doctor,
    /// Compare with reference values of a directory that holds an index.json
    Golden(golden::Options),
    /// What each layer of a published network costs
    Cost(cost::Options),
    /// Both ends of the spectrum of every neuron's splitting matrix, from captured data
    Spectrum(spectrum::Options),
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
        Command::Cost(options) => cost::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Doctor => doctor::run(),
        Command::Golden(options) => golden::run(&options),
        Command::Spectrum(options) => spectrum::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
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
        eprintln!("\ninterrupted: finishing at the last checkpoint (Ctrl-C again ends at once)");
    })
    .map_err(|error| XtaskError::Signal(error.to_string()))?;
    Ok(flag)
}
