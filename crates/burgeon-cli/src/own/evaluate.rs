//! `burgeon evaluate FOLDER FILE`.

use burgeon_predictor::{Predictor, Score};
use burgeon_terminal::Table;
use clap::Args;

use super::{Trained, milliseconds, percent, records};
use crate::error::CliError;
use crate::text::grouped;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    trained: Trained,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints how well the network predicts the file's targets.
pub fn run(options: &Options) -> Result<(), CliError> {
    let trained = &options.trained;
    let predictor = Predictor::load(&trained.folder, trained.parameters)?;
    let records = records(&trained.reading, &trained.file)?;
    let score = predictor.evaluate(&records)?;
    if options.json {
        let text = serde_json::to_string(&score).map_err(CliError::file(&trained.file))?;
        burgeon_terminal::line(text)?;
        return Ok(());
    }
    let cost = format!(
        "{} parameters; one row takes {} MACs and {} on this machine (flex, median of passes).",
        grouped(predictor.parameters()),
        grouped(predictor.macs()?),
        milliseconds(predictor.latency())
    );
    match score {
        Score::Classes {
            accuracy,
            loss,
            classes,
        } => {
            let rows: Vec<Vec<String>> = classes
                .iter()
                .map(|(name, rows, right)| vec![name.clone(), rows.to_string(), percent(*right)])
                .collect();
            let table = Table {
                title: &format!("Accuracy {}, cross-entropy {loss:.4}", percent(accuracy)),
                columns: &["class", "rows", "right"].map(str::to_owned),
                rows: &rows,
                notes: &[cost],
            };
            table.print()?;
        }
        Score::Numbers {
            root_mean_squared_error,
            explained,
        } => {
            burgeon_terminal::line(format_args!(
                "root mean squared error {root_mean_squared_error:.6}, {} of the variance explained",
                percent(explained)
            ))?;
            burgeon_terminal::line(cost)?;
        }
    }
    Ok(())
}
