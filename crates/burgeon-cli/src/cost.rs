//! `burgeon cost`.

use std::path::PathBuf;

use burgeon::backend;
use burgeon::core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, LayerKind, LayerShape, Macs, Parameters,
    Precision,
};
use burgeon_terminal::Table;
use clap::Args;

use crate::architectures::architecture;
use crate::error::CliError;
use crate::latency;
use crate::text::{grouped, input};

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
pub fn run(options: &Options) -> Result<(), CliError> {
    let layers = architecture(&options.model, input(&options.input)?, options.classes)?;
    let energy = Energy::new(Precision::Float32);
    let models: [&dyn CostModel; 5] = [
        &Parameters,
        &Macs,
        &ActivationMemory::default(),
        &BytesMoved::default(),
        &energy,
    ];
    let mut heads = ["layer", "channels", "positions"]
        .map(str::to_owned)
        .to_vec();
    heads.extend(models.iter().map(|model| head(*model)));
    let backend = options.device.as_deref().map(backend::open).transpose()?;
    let latency = match &backend {
        Some(backend) => Some(latency::measure(&layers, backend.as_ref(), &[1.0])?),
        None => None,
    };
    if let (Some(path), Some(backend)) = (&options.timings, &backend) {
        let table = latency::measure(&layers, backend.as_ref(), &[0.5, 1.0, 2.0])?;
        let text = serde_json::to_string_pretty(&table).map_err(CliError::file(path))?;
        std::fs::write(path, text).map_err(CliError::file(path))?;
    }
    if latency.is_some() {
        heads.push("latency, ns".into());
    }
    let price = |layers: &[LayerShape]| -> Vec<String> {
        let cell = |model: &&dyn CostModel| match model.unit() {
            "fJ" => microjoule(model.cost(layers)),
            _ => grouped(model.cost(layers)),
        };
        let mut cells: Vec<String> = models.iter().map(cell).collect();
        cells.extend(latency.iter().map(|latency| grouped(latency.cost(layers))));
        cells
    };
    let row = |layer: &LayerShape| {
        let channels = match layer.kind {
            LayerKind::Mixing => format!("{} → {}", layer.inputs, layer.outputs),
            LayerKind::ChannelWise => format!("{} each", layer.outputs),
        };
        let positions = layer.output_positions.to_string();
        let mut cells = vec![layer.name.clone(), channels, positions];
        cells.extend(price(std::slice::from_ref(layer)));
        cells
    };
    let mut rows: Vec<Vec<String>> = layers.iter().map(row).collect();
    let mut total = vec!["total".to_owned(), String::new(), String::new()];
    total.extend(price(&layers));
    rows.push(total);
    let table = Table {
        title: &format!(
            "{} for {} and {} classes, one sample",
            options.model, options.input, options.classes
        ),
        columns: &heads,
        rows: &rows,
        notes: &[
            "Depthwise layers read each channel alone. MACs without biases, normalisation and \
             activations; energy by the 45 nm figures named in the documentation of \
             `burgeon::core::cost::Energy`."
                .into(),
        ],
    };
    table.print()?;
    Ok(())
}

/// The name of a cost in words, with its unit where that is another.
fn head(model: &dyn CostModel) -> String {
    let name = model.name().replace('-', " ");
    let unit = match model.unit() {
        "fJ" => "µJ",
        unit => unit,
    };
    if name.eq_ignore_ascii_case(unit) {
        return unit.to_owned();
    }
    format!("{name}, {unit}")
}

/// A number of femtojoule in microjoule.
fn microjoule(energy: u64) -> String {
    let tenths = energy.saturating_add(50_000_000) / 100_000_000;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}
