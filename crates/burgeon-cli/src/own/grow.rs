//! `burgeon grow FILE`: a network grown on one's own data.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burgeon_predictor::{Fit, FitData, FitSettings, Goal, Kind, SizeBudget, Watch, fit};
use burgeon_terminal::Table;
use clap::{Args, ValueEnum};

use super::{Reading, percent};
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
    /// The network; a CNN for images unless told
    #[arg(long, value_enum)]
    model: Option<Model>,
    /// Hidden layers
    #[arg(long, default_value_t = 2, conflicts_with = "from")]
    layers: usize,
    /// A trained network to grow further: a state dict of PyTorch, .pt or .safetensors; its kind,
    /// layers and widths are read from it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How large the network may become, as 50k-params or 5M-macs
    #[arg(long, default_value = "20k-params", value_parser = budget)]
    budget: SizeBudget,
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
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Task {
    Classification,
    Regression,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Model {
    Mlp,
    Cnn,
}

fn budget(text: &str) -> Result<SizeBudget, String> {
    text.parse()
}

/// Grows a network and prints the sizes that it passed.
pub fn run(options: &Options) -> Result<(), CliError> {
    let records = options.reading.records(&options.file)?;
    let held = options.held.as_ref();
    let held = held.map(|file| options.reading.records(file)).transpose()?;
    let settings = FitSettings {
        kind: options.model.map(|model| match model {
            Model::Mlp => Kind::Mlp,
            Model::Cnn => Kind::Cnn,
        }),
        layers: options.layers,
        budget: options.budget,
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
        records: &records,
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
        shows_progress: true,
        interrupt: Some(interrupt),
        time: options.time,
    };
    let out = options.out.display();
    let summary = match fit(&data, &settings, &options.out, &watch)? {
        Fit::Done(summary) => summary,
        Fit::Interrupted => {
            return Err(CliError::Settings(format!(
                "interrupted: the same command goes on from {out}"
            )));
        }
    };
    let rows: Vec<Vec<String>> = summary
        .sizes
        .iter()
        .map(|size| {
            let widths: Vec<String> = size
                .widths
                .iter()
                .map(|(_, width)| width.to_string())
                .collect();
            let chosen = if size.parameters == summary.best {
                "chosen"
            } else {
                ""
            };
            vec![
                size.parameters.to_string(),
                widths.join("-"),
                size.epoch.to_string(),
                format!("{:.4}", size.held_loss),
                size.held_accuracy.map_or_else(|| "–".into(), percent),
                chosen.to_owned(),
            ]
        })
        .collect();
    let mut notes = Vec::new();
    if let (Some(start), Some(from)) = (&summary.start, &options.from) {
        let accuracy = start.held_accuracy.map(percent);
        notes.push(format!(
            "Started from {} with {} parameters; before training its held loss was {:.4}{}.",
            from.display(),
            start.parameters,
            start.held_loss,
            accuracy.map_or_else(String::new, |share| format!(", its held accuracy {share}"))
        ));
    }
    notes.push(format!(
        "Each at its best epoch on the held rows; ended: {}. `burgeon predict {out} FILE` takes \
         the chosen one, `--parameters N` another. More: {out}/MODEL_CARD.md.",
        summary.ended
    ));
    let table = Table {
        title: &format!(
            "Sizes that growing passed: {} rows trained on, {} held out",
            summary.train_rows, summary.held_rows
        ),
        columns: &[
            "parameters",
            "hidden",
            "epoch",
            "held loss",
            "held accuracy",
            "",
        ]
        .map(str::to_owned),
        rows: &rows,
        notes: &notes,
    };
    table.print()?;
    Ok(())
}
