//! The command line of Burgeon: `burgeon COMMAND`.

mod architectures;
mod cost;
mod doctor;
mod error;
mod latency;
mod report;
mod spectrum;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tells `burgeon spectrum` its peak memory.
#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Burgeon: grow neural networks instead of guessing their size.
#[derive(Debug, Parser)]
#[command(name = "burgeon", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What a weights file holds: parameters by path, with shapes, types and sizes
    Summary(summary::Options),
    /// Both ends of the spectrum of every neuron's splitting matrix, from captured data
    Spectrum(spectrum::Options),
    /// What each layer of a published network costs
    Cost(cost::Options),
    /// The results of a run as one HTML page
    Report(report::Options),
    /// Which devices, drivers and runtimes are usable, and whether they compute right
    Doctor,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Summary(options) => summary::run(&options),
        Command::Spectrum(options) => spectrum::run(&options),
        Command::Cost(options) => cost::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Doctor => doctor::run(),
    };
    match result {
        Err(error) if burgeon_terminal::warn_of(&error, error.output()) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
