//! Taking a grown network away.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burgeon_exchange::{Int8Weight, OWN_FORMAT, OnnxExporter, Sequential, SequentialLayer};
use burgeon_run::{Exported, Format, Function, Goal, Precision, Step};
use safetensors::tensor::{Dtype, TensorView};

use crate::error::{PredictorError, file};
use crate::int8;
use crate::predict::Predictor;
use crate::run::{write, write_json};

/// How a network is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    /// The format.
    pub format: Format,
    /// The type of its weights.
    pub precision: Precision,
    /// Whether files that are there are overwritten.
    pub overwrites: bool,
}

impl Export {
    /// In `format`, with weights in f32; nothing that is there is overwritten.
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            precision: Precision::Float32,
            overwrites: false,
        }
    }
}

impl Predictor {
    /// The files that [`export`](Self::export) writes: the network `out`, beside it a description
    /// (`.json`), and for PyTorch a program (`.py`).
    pub fn exported_files(format: Format, out: &Path) -> Vec<PathBuf> {
        let mut files = vec![out.to_owned(), out.with_extension("json")];
        if format == Format::Pytorch {
            files.push(out.with_extension("py"));
        }
        files
    }

    /// Writes the network to `out`, and beside it what its inputs and answers mean. What is
    /// written reads standardised inputs, as the description has them, and answers with logits or
    /// a standardised number.
    ///
    /// # Errors
    /// [`PredictorError::File`] where a file is there already and is not to be overwritten, or
    /// `out` would be one of the files beside it; [`PredictorError::Settings`] where the format
    /// has no such networks or weights; [`PredictorError::Exchange`] where the network cannot be
    /// written so.
    pub fn export(&self, export: Export, out: &Path) -> Result<Vec<PathBuf>, PredictorError> {
        let files = Self::exported_files(export.format, out);
        if files[1..].contains(&files[0]) {
            return Err(file(
                out,
                "a description or a program is written beside the network under this name: give \
                 the network another extension",
            ));
        }
        if let Some(there) = files
            .iter()
            .find(|path| path.exists() && !export.overwrites)
        {
            return Err(file(
                there,
                "it is there already: choose another name, or say that it may be overwritten \
                 (--force)",
            ));
        }
        self.write(export, &files)?;
        Ok(files)
    }

    fn write(&self, export: Export, files: &[PathBuf]) -> Result<(), PredictorError> {
        let (out, beside) = (&files[0], &files[1]);
        let schema = self.schema();
        let shape = schema.inputs.shape();
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let description = Exported {
            format: export.format,
            precision: export.precision,
            weights: name.clone().into_owned(),
            kind: self.kind.name().to_owned(),
            parameters: self.network.parameters(),
            input_shape: shape.clone(),
            output: match schema.target.goal() {
                Goal::Classification => "logits".to_owned(),
                Goal::Regression => "standardised number".to_owned(),
            },
            steps: self.network.steps(&shape),
            schema: schema.clone(),
        };
        let text = serde_json::to_string(&description).map_err(|error| file(beside, error))?;
        let int8 = match export.precision {
            Precision::Float32 => Vec::new(),
            Precision::Int8 => int8::quantised(&self.network.weights()),
        };
        match export.format {
            Format::Onnx => {
                let exporter = OnnxExporter::new()
                    .with_metadata("burgeon", text)
                    .with_int8(int8);
                self.network.onnx(&exporter, &shape)?.save(out)?;
            }
            Format::Safetensors => {
                let bytes = self.encoded(text, int8).map_err(|error| file(out, error))?;
                write(out, &bytes)?;
            }
            Format::Pytorch if export.precision == Precision::Int8 => {
                return Err(PredictorError::Settings(
                    "a state dict for PyTorch has floats: take --format onnx or safetensors for \
                     int8"
                        .into(),
                ));
            }
            Format::Pytorch => {
                let layers = sequential(&description.steps)?;
                self.network.state_dict(&layers)?.save(out)?;
                let program = program(&layers, &name, &description);
                write(&files[2], program.as_bytes())?;
            }
        }
        write_json(beside, &description)
    }

    /// All weights as safetensors, those in `int8` as such with their scales.
    fn encoded(&self, text: String, int8: Vec<(String, Int8Weight)>) -> Result<Vec<u8>, String> {
        let mut arrays = Vec::new();
        let mut weights = self.network.weights();
        for (path, own) in &int8 {
            weights.remove(path);
            let values = own.values.iter().map(|value| value.to_le_bytes()[0]);
            let scales = own.scales.iter().flat_map(|scale| scale.to_le_bytes());
            arrays.push(Array {
                path: path.clone(),
                dtype: Dtype::I8,
                shape: own.shape.clone(),
                bytes: values.collect(),
            });
            arrays.push(Array {
                path: format!("{path}.scale"),
                dtype: Dtype::F32,
                shape: vec![own.scales.len()],
                bytes: scales.collect(),
            });
        }
        for (path, weight) in &weights {
            let floats = weight.data.iter::<f32>();
            arrays.push(Array {
                path: path.clone(),
                dtype: Dtype::F32,
                shape: weight.data.shape().to_vec(),
                bytes: floats.flat_map(f32::to_le_bytes).collect(),
            });
        }
        let mut views = Vec::with_capacity(arrays.len());
        for array in &arrays {
            let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes);
            let view = view.map_err(|error| format!("`{}`: {error}", array.path))?;
            views.push((&array.path, view));
        }
        let metadata = HashMap::from([
            ("format".to_owned(), OWN_FORMAT.to_owned()),
            ("burgeon".to_owned(), text),
        ]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
    }
}

/// An array of a safetensors file.
struct Array {
    path: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The steps as PyTorch's `Sequential` has them.
fn sequential(steps: &[Step]) -> Result<Sequential, PredictorError> {
    let mut is_row = false;
    let plain = |layer: &str| SequentialLayer::Plain(layer.to_owned());
    let mut layers = Vec::with_capacity(steps.len());
    for step in steps {
        layers.push(match step {
            Step::Flatten => SequentialLayer::Flatten,
            Step::Linear {
                layer,
                inputs,
                outputs,
            } => SequentialLayer::Linear {
                path: layer.clone(),
                inputs: *inputs,
                outputs: *outputs,
            },
            Step::Convolution {
                layer,
                inputs,
                outputs,
                kernel,
                stride,
                groups,
                bias,
            } => SequentialLayer::Convolution {
                path: layer.clone(),
                inputs: *inputs,
                outputs: *outputs,
                kernel: *kernel,
                stride: *stride,
                groups: *groups,
                bias: *bias,
            },
            Step::Norm {
                layer, channels, ..
            } => SequentialLayer::BatchNorm {
                path: layer.clone(),
                channels: *channels,
                rows: is_row,
            },
            Step::Activation { function } => plain(match function {
                Function::Relu => "nn.ReLU()",
                Function::Relu6 => "nn.ReLU6()",
                Function::Silu => "nn.SiLU()",
                Function::Gelu => "nn.GELU()",
                Function::Tanh => "nn.Tanh()",
            }),
            Step::MaxPool { size } => plain(&format!("nn.MaxPool2d({size})")),
            Step::MeanPool { size } => plain(&format!("nn.AvgPool2d({size})")),
            Step::GlobalMean => plain("nn.AdaptiveAvgPool2d(1)"),
            Step::Add { .. } => {
                return Err(PredictorError::Settings(
                    "a network that adds layers is no Sequential of PyTorch: take --format onnx"
                        .into(),
                ));
            }
        });
        match step {
            Step::GlobalMean => layers.push(SequentialLayer::Flatten),
            Step::Linear { .. } => is_row = true,
            _ => {}
        }
    }
    Ok(Sequential::new(layers))
}

fn program(layers: &Sequential, weights: &str, description: &Exported) -> String {
    let shape: Vec<String> = description
        .input_shape
        .iter()
        .map(usize::to_string)
        .collect();
    let described = Path::new(weights).with_extension("json");
    let described = described.display();
    layers.python(
        weights,
        &[
            format!(
                "Inputs: float32, [n, {}], standardised as {described} says.",
                shape.join(", ")
            ),
            format!(
                "Outputs: [n, {}], {}.",
                description.schema.target.outputs(),
                description.output
            ),
        ],
    )
}
