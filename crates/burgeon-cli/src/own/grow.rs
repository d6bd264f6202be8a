//! `burgeon grow FILE`: a network grown on one's own data.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burgeon_predictor::{
    Fit, FitData, FitSettings, Goal, Kind, NetworkFile, SizeBudget, Watch, fit,
};
use burgeon_run::command_line::Reading;
use clap::{Args, ValueEnum};

use super::{records, summary};
use crate::error::CliError;

#[derive(Debug, Args)]
pub struct Options {
    /// A CSV file with a line of names, a NumPy archive with x and y, an IDX file of images whose
    /// labels lie beside it, or a folder with a folder of images for each class
    file: PathBuf,
    /// The column to predict; the last one unless told
    #[arg(long)]
    target: Option<String>,
    /// What the target is; texts, and whole numbers with at most 20 different ones, are classes
    /// unless told
    #[arg(long, value_enum)]
    task: Option<Task>,
    /// Data of the same kind to hold out of training; a share of the rows unless told
    #[arg(long, value_name = "FILE")]
    held: Option<PathBuf>,
    /// The share of the rows to hold out, of each class alike
    #[arg(long, default_value_t = 0.2)]
    held_share: f64,
    /// The network: mlp, cnn, or a TOML file that lists its layers; a CNN for images unless told
    #[arg(long, value_name = "mlp|cnn|FILE.toml", value_parser = model)]
    model: Option<Model>,
    /// Hidden layers
    #[arg(long, default_value_t = 2, conflicts_with = "from")]
    layers: usize,
    /// A trained network to grow further: a state dict of PyTorch, .pt or .safetensors; its kind,
    /// layers and widths are read from it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How large the network may become, as 50k-params, 5M-macs, or 2ms for one forward pass of
    /// one row on this machine
    #[arg(long, default_value = "20k-params", value_parser = budget)]
    budget: SizeBudget,
    /// Growths by which all layers double; 0 trains a network that fills the budget from the start
    #[arg(long, default_value_t = 2)]
    growths: usize,
    /// What widths are multiples of once they have grown, for hardware that computes so many
    /// numbers at once
    #[arg(long, default_value_t = 1)]
    lanes: usize,
    /// Stop after so many multiply-accumulates of training, as 2e9
    #[arg(long, value_name = "NUMBER", value_parser = macs)]
    training_macs: Option<u64>,
    /// Stop at this accuracy on the held rows, as 0.97
    #[arg(long)]
    accuracy: Option<f64>,
    /// Stop after about so long, as 10m
    #[arg(long, value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Epochs; about 12,000 steps unless told
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples in a batch
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Fixes the split, the first weights and every random choice
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder of the run; begun again, an unfinished run goes on
    #[arg(long, default_value = "run")]
    out: PathBuf,
    /// Show the run in Burn's dashboard on the terminal; needs a program built with
    /// `--features dashboard`
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Task {
    Classification,
    Regression,
}

#[derive(Debug, Clone)]
enum Model {
    Mlp,
    Cnn,
    File(PathBuf),
}

fn model(text: &str) -> Result<Model, String> {
    match text {
        "mlp" => Ok(Model::Mlp),
        "cnn" => Ok(Model::Cnn),
        file if file.ends_with(".toml") => Ok(Model::File(file.into())),
        _ => Err("mlp, cnn, or a file whose name ends in .toml".into()),
    }
}

fn macs(text: &str) -> Result<u64, String> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|number| (1.0..1e19).contains(number));
    let number = number.ok_or("a number of at least 1, as 2e9")?;
    Ok(number as u64)
}

fn budget(text: &str) -> Result<SizeBudget, String> {
    text.parse()
}

/// Grows a network and prints the sizes that it passed.
pub fn run(options: &Options) -> Result<(), CliError> {
    let own = records(&options.reading, &options.file)?;
    let held = options.held.as_ref();
    let held = held
        .map(|file| records(&options.reading, file))
        .transpose()?;
    let (kind, network) = match &options.model {
        None => (None, None),
        Some(Model::Mlp) => (Some(Kind::Mlp), None),
        Some(Model::Cnn) => (Some(Kind::Cnn), None),
        Some(Model::File(file)) => (None, Some(NetworkFile::read(file)?)),
    };
    let settings = FitSettings {
        kind,
        network,
        layers: options.layers,
        budget: options.budget,
        growths: options.growths,
        lanes: options.lanes,
        training_macs: options.training_macs,
        target_accuracy: options.accuracy,
        epochs: options.epochs,
        batch_size: options.batch,
        held_share: options.held_share,
        seed: options.seed,
        start: options.from.clone(),
    };
    let name = options.file.display().to_string();
    let data = FitData {
        name: &name,
        records: &own,
        held: held.as_ref(),
        target: options.target.as_deref(),
        goal: options.task.map(|task| match task {
            Task::Classification => Goal::Classification,
            Task::Regression => Goal::Regression,
        }),
    };
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| CliError::Settings(format!("Ctrl-C cannot be caught: {error}")))?;
    let watch = Watch {
        shows_progress: !options.watch,
        shows_dashboard: options.watch,
        interrupt: Some(interrupt),
        time: options.time,
    };
    let out = options.out.display();
    let grown = match fit(&data, &settings, &options.out, &watch)? {
        Fit::Done(summary) => summary,
        Fit::Interrupted => {
            return Err(CliError::Settings(format!(
                "interrupted: the same command goes on from {out}"
            )));
        }
    };
    summary::print(&grown, &options.out, None)
}
