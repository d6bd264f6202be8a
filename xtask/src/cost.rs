//! `cargo xtask cost`.

use std::path::PathBuf;

use burgeon_core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, LayerKind, LayerShape, Macs, Parameters,
    Precision,
};
use burgeon_experiments::architectures::{ARCHITECTURES, architecture};
use burgeon_experiments::device::backend;
use burgeon_experiments::report::Table;
use burgeon_experiments::{ExperimentError, latency};
use clap::Args;

use crate::error::XtaskError;
use crate::render;

#[derive(Debug, Args)]
pub struct Options {
    /// The network: mobilenet-v1, resnet-18, vgg-11 or vgg-19
    #[arg(long)]
    model: String,
    /// Input channels, height and width
    #[arg(long, value_name = "CxHxW")]
    input: String,
    /// Number of classes
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// Also time each layer on this device (one sample, f32)
    #[arg(long)]
    device: Option<String>,
    /// Write a table of timings at half, once and twice each width to this JSON file
    #[arg(long, requires = "device", value_name = "FILE")]
    timings: Option<PathBuf>,
}

/// Prints what each layer costs.
pub fn run(options: &Options) -> Result<(), XtaskError> {
    let layers = architecture(&options.model, input(&options.input)?, options.classes)?;
    let energy = Energy::new(Precision::Float32);
    let models: [&dyn CostModel; 5] = [
        &Parameters,
        &Macs,
        &ActivationMemory::default(),
        &BytesMoved::default(),
        &energy,
    ];
    let mut heads = vec!["layer".to_owned(), "kind".into(), "channels".into()];
    heads.push("positions".into());
    heads.extend(
        models
            .iter()
            .map(|model| format!("{}, {}", model.name(), model.unit())),
    );
    let backend = options.device.as_deref().map(backend).transpose()?;
    let latency = match &backend {
        Some(backend) => Some(latency::measure(&layers, backend.as_ref(), &[1.0])?),
        None => None,
    };
    if let (Some(path), Some(backend)) = (&options.timings, &backend) {
        let table = latency::measure(&layers, backend.as_ref(), &[0.5, 1.0, 2.0])?;
        let text = serde_json::to_string_pretty(&table)
            .map_err(|error| ExperimentError::file(path, error.to_string()))?;
        std::fs::write(path, text).map_err(ExperimentError::io(path))?;
    }
    if latency.is_some() {
        heads.push("latency, ns".into());
    }
    let price = |layers: &[LayerShape]| -> Vec<String> {
        let mut cells: Vec<String> = models.iter().map(|m| grouped(m.cost(layers))).collect();
        cells.extend(latency.iter().map(|latency| grouped(latency.cost(layers))));
        cells
    };
    let row = |layer: &LayerShape| {
        let kind = match layer.kind {
            LayerKind::Mixing => "mixing",
            LayerKind::ChannelWise => "depthwise",
        };
        let mut cells = vec![
            layer.name.clone(),
            kind.to_owned(),
            format!("{} → {}", layer.inputs, layer.outputs),
            layer.output_positions.to_string(),
        ];
        cells.extend(price(std::slice::from_ref(layer)));
        cells
    };
    let mut rows: Vec<Vec<String>> = layers.iter().map(row).collect();
    let mut total = vec![
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
    ];
    total.extend(price(&layers));
    rows.push(total);
    let table = Table {
        name: "cost".into(),
        title: format!(
            "{} for {} and {} classes, one sample",
            options.model, options.input, options.classes
        ),
        columns: heads,
        rows,
        notes: vec![
            "MACs without biases, normalisation and activations; energy by the 45 nm figures named \
             in the documentation of `burgeon_core::cost::Energy`."
                .into(),
        ],
    };
    println!("{}", render::terminal(&table));
    Ok(())
}

/// Reads `CxHxW`.
fn input(text: &str) -> Result<[usize; 3], ExperimentError> {
    let sizes: Option<Vec<usize>> = text.split('x').map(|size| size.parse().ok()).collect();
    sizes
        .and_then(|sizes| <[usize; 3]>::try_from(sizes).ok())
        .ok_or_else(|| {
            ExperimentError::Settings(format!(
                "`{text}` is no input size: give CxHxW, as in 3x224x224 (networks: {})",
                ARCHITECTURES.join(", ")
            ))
        })
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
