//! The command line of Burgeon: `burgeon COMMAND`.

mod accelerator;
mod architectures;
mod cost;
mod doctor;
mod error;
mod latency;
mod npi;
mod own;
mod report;
mod spectrum;
mod summary;
mod text;

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
    /// Grow a network on your own data
    Grow(own::grow::Options),
    /// Predict with a network that was grown
    Predict(own::predict::Options),
    /// How well a network that was grown predicts
    Evaluate(own::evaluate::Options),
    /// Take a network that was grown away: ONNX, safetensors, PyTorch
    Export(own::export::Options),
    /// What a weights file holds: parameters by path, with shapes, types and sizes
    Summary(summary::Options),
    /// Both ends of the spectrum of every neuron's splitting matrix, from captured data
    Spectrum(spectrum::Options),
    /// What each layer of a published network costs
    Cost(cost::Options),
    /// A published network on an FPGA, or on several: best design, cycles, bottlenecks, stages
    Accelerator(accelerator::Options),
    /// Programs that networks learn from traces: run, train and prove them
    #[command(subcommand)]
    Npi(npi::Command),
    /// The results of a run as one HTML page
    Report(report::Options),
    /// Which devices, drivers and runtimes are usable, and whether they compute right
    Doctor,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Grow(options) => own::grow::run(&options),
        Command::Predict(options) => own::predict::run(&options),
        Command::Evaluate(options) => own::evaluate::run(&options),
        Command::Export(options) => own::export::run(&options),
        Command::Summary(options) => summary::run(&options),
        Command::Spectrum(options) => spectrum::run(&options),
        Command::Cost(options) => cost::run(&options),
        Command::Accelerator(options) => accelerator::run(&options),
        Command::Npi(command) => npi::run(&command),
        Command::Report(options) => report::run(&options),
        Command::Doctor => doctor::run(),
    };
    match result {
        Err(error) if burgeon_terminal::warn_of(&error, error.output()) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
