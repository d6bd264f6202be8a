//! `burgeon accelerator`.

mod found;
mod print;

use std::path::{Path, PathBuf};

use burgeon_hardware::{Board, ConvLayer, DesignSpace, Pool};
use clap::Args;

use crate::architectures::architecture;
use crate::error::CliError;
use crate::text::input;
use found::Found;

#[derive(Debug, Args)]
pub struct Options {
    /// The network: mobilenet-v1, resnet-18, vgg-11 or vgg-19
    #[arg(long)]
    model: String,
    /// Input channels, height and width
    #[arg(long, value_name = "CxHxW", default_value = "3x224x224")]
    input: String,
    /// Number of classes
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// The board, pynq-z1, vc707, zc706 or zcu102, or a JSON file that describes one
    #[arg(long, value_name = "NAME|FILE")]
    board: String,
    /// Boards to divide the network among, as zcu102:2,pynq-z1:1
    #[arg(long, value_name = "BOARD:N,…")]
    pool: Option<String>,
    /// Words that the link between two boards of the pool moves in a second; no limit unless told
    #[arg(long, requires = "pool", default_value_t = f64::INFINITY)]
    link: f64,
    /// Draw the roofline into this SVG file
    #[arg(long, value_name = "FILE")]
    roofline: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Finds the best design and prints what each layer takes on it.
pub fn run(options: &Options) -> Result<(), CliError> {
    let shapes = architecture(&options.model, input(&options.input)?, options.classes)?;
    let layers = ConvLayer::all(&shapes)?;
    let space = DesignSpace::standard();
    let board = board(&options.board)?;
    let best = space.best(&board, &layers)?;
    let pipeline = match &options.pool {
        Some(pool) => Some(Pool::new(boards(pool)?, options.link)?.pipeline(&layers, &space)?),
        None => None,
    };
    let found = Found {
        network: format!(
            "{} for {} and {} classes",
            options.model, options.input, options.classes
        ),
        board,
        best,
        layers,
        pipeline,
    };
    if let Some(path) = &options.roofline {
        let drawing = found.roofline().to_svg();
        let drawing = drawing
            .ok_or_else(|| CliError::Settings(format!("{} has no layer to draw", options.model)))?;
        std::fs::write(path, drawing).map_err(CliError::file(path))?;
    }
    match options.json {
        true => {
            burgeon_terminal::line(found.json())?;
            Ok(())
        }
        false => print::tables(&found),
    }
}

/// A board by its name, or of the file of that name.
fn board(name: &str) -> Result<Board, CliError> {
    let path = Path::new(name);
    if !path.is_file() {
        return Ok(Board::named(name)?);
    }
    let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
    let board: Board = serde_json::from_str(&text).map_err(CliError::file(path))?;
    board.check()?;
    Ok(board)
}

/// Reads `zcu102:2,pynq-z1:1`.
fn boards(text: &str) -> Result<Vec<(Board, usize)>, CliError> {
    let one = |part: &str| {
        let (name, count) = part.rsplit_once(':').unwrap_or((part, "1"));
        let count: usize = count.parse().map_err(|_| {
            CliError::Settings(format!(
                "`{part}` is no part of a pool: give boards and how many of each, as in \
                 zcu102:2,pynq-z1:1"
            ))
        })?;
        Ok((board(name)?, count))
    };
    text.split(',').map(one).collect()
}
