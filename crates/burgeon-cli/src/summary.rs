//! `burgeon summary FILE`, and of the folder of a run.
//!
//! A weights file has no model: which layers there are, what they cost and where they grow is known
//! only by a trace of the model itself (`burgeon::nn::trace`), which prints its own summary. Here
//! are the parameters, by the paths of the model's fields.

use std::path::PathBuf;

use burgeon_terminal::Table;
use clap::Args;
use safetensors::tensor::SafeTensors;
use serde::Serialize;

use crate::error::CliError;
use crate::own;

#[derive(Debug, Args)]
pub struct Options {
    /// A safetensors file, as `save_weights` writes it, or the folder of a run
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Summary {
    parameters: Vec<Parameter>,
    /// Numbers in all parameters.
    count: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    dtype: String,
    count: u64,
    bytes: u64,
}

/// Prints what the file holds.
pub fn run(options: &Options) -> Result<(), CliError> {
    let path = &options.file;
    if path.is_dir() {
        return own::summary::of_run(path, options.json);
    }
    let bytes = std::fs::read(path).map_err(CliError::file(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| CliError::file(path)(format!("not a safetensors file: {error}")))?;
    let summary = Summary::of(&file);
    if options.json {
        let text = serde_json::to_string(&summary).map_err(CliError::file(path))?;
        burgeon_terminal::line(text)?;
        return Ok(());
    }
    let cells = |parameter: &Parameter| {
        vec![
            parameter.path.clone(),
            shape(&parameter.shape),
            parameter.dtype.clone(),
            parameter.count.to_string(),
            parameter.bytes.to_string(),
        ]
    };
    let mut rows: Vec<Vec<String>> = summary.parameters.iter().map(cells).collect();
    rows.push(vec![
        "total".into(),
        String::new(),
        String::new(),
        summary.count.to_string(),
        summary.bytes.to_string(),
    ]);
    let table = Table {
        title: &path.display().to_string(),
        columns: &["parameter", "shape", "type", "numbers", "bytes"].map(str::to_owned),
        rows: &rows,
        notes: &[
            "Parameters by path, and buffers such as a norm's running mean. What they cost and \
             where they grow is in the graph of the model's trace."
                .into(),
        ],
    };
    table.print()?;
    Ok(())
}

impl Summary {
    /// The parameters of `file` in the order of their paths, `blocks.2` before `blocks.10`.
    fn of(file: &SafeTensors) -> Self {
        let tensors = file.tensors().into_iter();
        let mut parameters: Vec<Parameter> = tensors
            .map(|(path, view)| Parameter {
                path,
                shape: view.shape().to_vec(),
                dtype: format!("{:?}", view.dtype()),
                count: view.shape().iter().map(|size| *size as u64).product(),
                bytes: view.data().len() as u64,
            })
            .collect();
        parameters.sort_by(|a, b| steps(&a.path).cmp(&steps(&b.path)));
        Self {
            count: parameters.iter().map(|parameter| parameter.count).sum(),
            bytes: parameters.iter().map(|parameter| parameter.bytes).sum(),
            parameters,
        }
    }
}

/// The steps of a path, numbers as such.
fn steps(path: &str) -> Vec<(Option<u64>, &str)> {
    let steps = path.split('.');
    steps.map(|step| (step.parse().ok(), step)).collect()
}

fn shape(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("[{}]", sizes.join(", "))
}
