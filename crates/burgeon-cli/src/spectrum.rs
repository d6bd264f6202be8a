//! `burgeon spectrum FILE`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burgeon::backend;
use burgeon::burn::tensor::{Tensor, TensorData, s};
use burgeon::core::eigen::{CapturedOperator, RayleighDescent};
use burgeon::core::{
    Curvature, CurvatureBlock, Method, SiteInput, SiteSpectra, SpectrumSolver, SplitBackend, Window,
};
use burgeon_terminal::Table;
use clap::Args;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Serialize;

use crate::ALLOCATOR;
use crate::error::CliError;

/// Rows or maps in a batch of rayleigh, the authors' batch size.
const BATCH: usize = 64;

#[derive(Debug, Args)]
pub struct Options {
    /// A safetensors file with `x` [n, d] and `w` [n, M]; or `input` [b, c, h, w] and `w`
    /// [b, M, h', w'] with metadata kernel, stride and padding (one number, or height,width)
    file: PathBuf,
    /// auto, dense, krylov or rayleigh
    #[arg(long, default_value = "auto")]
    method: Method,
    /// Residual at which krylov ends, relative to the largest |λ|
    #[arg(long, default_value_t = 1e-3)]
    tolerance: f64,
    /// Passes of rayleigh over the data, in batches of 64 rows or maps
    #[arg(long, default_value_t = RayleighDescent::default().passes)]
    passes: usize,
    /// Device to compute on: flex, ndarray, cuda:N, wgpu:N or cpu (see `burgeon doctor`)
    #[arg(long, default_value = backend::DEFAULT)]
    device: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct SpectrumReport {
    lambda_min: Vec<f64>,
    lambda_max: Vec<f64>,
    residual_min: Vec<f64>,
    residual_max: Vec<f64>,
    /// Of one solution, after one that warmed up.
    seconds: f64,
    /// Most memory during it, the captured data included.
    peak_bytes: usize,
    iterations: usize,
    method: String,
}

/// Prints both ends of every neuron's spectrum.
pub fn run(options: &Options) -> Result<(), CliError> {
    let backend = backend::open(&options.device)?;
    let block = read(&options.file, backend.as_ref())?;
    let blocks = match options.method {
        Method::Rayleigh => batches(block),
        _ => vec![block],
    };
    let curvature = Curvature::new("site", blocks)?;
    let rayleigh = RayleighDescent {
        passes: options.passes,
        ..RayleighDescent::default()
    };
    let solver = SpectrumSolver::default()
        .with_method(options.method)
        .with_rayleigh(rayleigh)
        .with_tolerance(options.tolerance);
    let solve = || -> Result<SiteSpectra, CliError> {
        let operator = CapturedOperator::new(vec![&curvature], backend.as_ref());
        let exact = backend.accumulation_dtype();
        let mut found = solver.solve(&operator, curvature.rows(), exact)?;
        Ok(found.swap_remove(0))
    };
    solve()?;
    ALLOCATOR.reset_peak_usage();
    let started = Instant::now();
    let found = solve()?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_bytes = ALLOCATOR.peak_usage();
    let report = SpectrumReport {
        lambda_min: found.iter().map(|s| s.min.value).collect(),
        lambda_max: found.iter().map(|s| s.max.value).collect(),
        residual_min: found.iter().map(|s| s.min.residual).collect(),
        residual_max: found.iter().map(|s| s.max.residual).collect(),
        seconds,
        peak_bytes,
        iterations: found.iterations,
        method: found.method.to_string(),
    };
    if options.json {
        let text = serde_json::to_string(&report).map_err(CliError::file(&options.file))?;
        burgeon_terminal::line(text)?;
        return Ok(());
    }
    print(options, &curvature, &report)
}

/// `block` in parts of [`BATCH`] rows or maps.
fn batches(block: CurvatureBlock) -> Vec<CurvatureBlock> {
    let total = match &block.input {
        SiteInput::Rows(x) => x.dims()[0],
        SiteInput::Maps(x, _) | SiteInput::ChannelMaps(x, _) => x.dims()[0],
    };
    let positions = block.weights.dims()[0] / total.max(1);
    let part = |start: usize| {
        let end = (start + BATCH).min(total);
        let input = match &block.input {
            SiteInput::Rows(x) => SiteInput::Rows(x.clone().slice(s![start..end])),
            SiteInput::Maps(x, window) => SiteInput::Maps(x.clone().slice(s![start..end]), *window),
            SiteInput::ChannelMaps(x, window) => {
                SiteInput::ChannelMaps(x.clone().slice(s![start..end]), *window)
            }
        };
        let rows = start * positions..end * positions;
        CurvatureBlock {
            input,
            bias: block.bias,
            weights: block.weights.clone().slice(s![rows]),
        }
    };
    (0..total).step_by(BATCH).map(part).collect()
}

fn print(
    options: &Options,
    curvature: &Curvature,
    report: &SpectrumReport,
) -> Result<(), CliError> {
    let row = |j: usize| {
        let ends = [
            report.lambda_min[j],
            report.residual_min[j],
            report.lambda_max[j],
            report.residual_max[j],
        ];
        std::iter::once(j.to_string())
            .chain(ends.map(|value| format!("{value:.6e}")))
            .collect()
    };
    let rows: Vec<Vec<String>> = (0..curvature.neurons()).map(row).collect();
    let table = Table {
        title: &format!(
            "{}: {} rows, d = {}, {} neurons",
            options.file.display(),
            curvature.rows(),
            curvature.dim(),
            curvature.neurons()
        ),
        columns: &["neuron", "λ_min", "residual", "λ_max", "residual"].map(str::to_owned),
        rows: &rows,
        notes: &[format!(
            "{} on {}: {} iterations, {:.4} s after one warm-up, peak memory {:.1} MB.",
            report.method,
            options.device,
            report.iterations,
            report.seconds,
            report.peak_bytes as f64 / 1e6
        )],
    };
    table.print()?;
    Ok(())
}

/// The captured block that `path` holds.
fn read(path: &Path, backend: &dyn SplitBackend) -> Result<CurvatureBlock, CliError> {
    let problem = |text: String| CliError::file(path)(text);
    let bytes = std::fs::read(path).map_err(CliError::file(path))?;
    let unsound = |error: SafeTensorError| problem(format!("not a safetensors file: {error}"));
    let file = SafeTensors::deserialize(&bytes).map_err(unsound)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unsound)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let array = |name: &str| -> Result<(Vec<usize>, TensorData), CliError> {
        let view = file
            .tensor(name)
            .map_err(|_| problem(format!("it holds no array `{name}`")))?;
        let shape = view.shape().to_vec();
        let data = match view.dtype() {
            Dtype::F64 => {
                let (words, _) = view.data().as_chunks::<8>();
                let values: Vec<f64> = words.iter().map(|w| f64::from_le_bytes(*w)).collect();
                TensorData::new(values, shape.clone())
            }
            Dtype::F32 => {
                let (words, _) = view.data().as_chunks::<4>();
                let values: Vec<f32> = words.iter().map(|w| f32::from_le_bytes(*w)).collect();
                TensorData::new(values, shape.clone())
            }
            other => {
                let text = format!("`{name}` is {other:?}; only F32 and F64 are read");
                return Err(problem(text));
            }
        };
        Ok((shape, data))
    };
    let device = backend.device();
    let (shape, weights) = array("w")?;
    let weights_dtype = weights.dtype();
    if file.names().contains(&"x") {
        let (x_shape, x) = array("x")?;
        if x_shape.len() != 2 || shape.len() != 2 || shape[0] != x_shape[0] {
            let text = format!("`x` is {x_shape:?} and `w` {shape:?}, not [n, d] and [n, M]");
            return Err(problem(text));
        }
        not_empty([("x", &x_shape), ("w", &shape)]).map_err(problem)?;
        let dtype = x.dtype();
        return Ok(CurvatureBlock {
            input: SiteInput::Rows(Tensor::from_data(x, (&device, dtype))),
            bias: false,
            weights: Tensor::from_data(weights, (&device, weights_dtype)),
        });
    }
    let (input_shape, input) = array("input")?;
    if input_shape.len() != 4 || shape.len() != 4 {
        let text = format!(
            "`input` is {input_shape:?} and `w` {shape:?}, not [b, c, h, w] and [b, M, h', w']"
        );
        return Err(problem(text));
    }
    not_empty([("input", &input_shape), ("w", &shape)]).map_err(problem)?;
    let window = window(&metadata).map_err(problem)?;
    let size = [input_shape[2], input_shape[3]];
    let unfit = |error| {
        problem(format!(
            "its window does not fit an input of {size:?}: {error}"
        ))
    };
    window.check(size).map_err(unfit)?;
    let [oh, ow] = window.output_size(size);
    if [shape[0], shape[2], shape[3]] != [input_shape[0], oh, ow] {
        return Err(problem(format!(
            "`w` is {shape:?}, but an input {input_shape:?} has outputs [{}, M, {oh}, {ow}]",
            input_shape[0]
        )));
    }
    let rows = shape[0] * oh * ow;
    let dtype = input.dtype();
    let weights: Tensor<4> = Tensor::from_data(weights, (&device, weights_dtype));
    Ok(CurvatureBlock {
        input: SiteInput::Maps(Tensor::from_data(input, (&device, dtype)), window),
        bias: false,
        weights: weights.permute([0, 2, 3, 1]).reshape([rows, shape[1]]),
    })
}

/// Refuses arrays without an entry: no rows, no fan-in or no neurons.
fn not_empty(arrays: [(&str, &[usize]); 2]) -> Result<(), String> {
    match arrays.iter().find(|(_, shape)| shape.contains(&0)) {
        Some((name, shape)) => Err(format!(
            "`{name}` is {shape:?}: rows, fan-in and neurons are at least 1"
        )),
        None => Ok(()),
    }
}

fn window(metadata: &HashMap<String, String>) -> Result<Window, String> {
    let pair = |name: &str, least: usize| -> Result<[usize; 2], String> {
        let text = metadata
            .get(name)
            .ok_or_else(|| format!("its metadata has no `{name}`"))?;
        let numbers: Result<Vec<usize>, _> = text
            .trim_matches(['[', ']', '(', ')'])
            .split(',')
            .map(|part| part.trim().parse())
            .collect();
        match numbers.as_deref() {
            Ok([one]) if *one >= least => Ok([*one; 2]),
            Ok([height, width]) if (*height).min(*width) >= least => Ok([*height, *width]),
            _ => Err(format!(
                "its metadata has `{name}` = `{text}`, not one number or height,width from {least}"
            )),
        }
    };
    let [top, left] = pair("padding", 0)?;
    Ok(Window {
        kernel: pair("kernel", 1)?,
        stride: pair("stride", 1)?,
        padding: [[top; 2], [left; 2]],
        dilation: [1, 1],
    })
}
