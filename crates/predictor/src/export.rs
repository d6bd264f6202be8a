//! Taking a grown network away.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burgeon::nn::growable::parameter_count;
use burgeon::nn::stored::{collect, encode};
use burgeon_exchange::{OWN_FORMAT, OnnxExporter, Sequential};
use serde::Serialize;

use crate::architecture::{Architecture, Kind};
use crate::error::{PredictorError, file};
use crate::predict::{Network, Predictor};
use crate::run::{write, write_json};
use crate::schema::Schema;

/// How a network is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// ONNX (opset 18), for any number of samples.
    Onnx,
    /// Safetensors under the names and in the layouts that Burn has.
    Safetensors,
    /// Safetensors as a state dict of PyTorch, with a Python program that loads it.
    Pytorch,
}

/// What the description beside an exported network says.
#[derive(Serialize)]
struct Exported<'a> {
    format: Format,
    /// The file.
    weights: String,
    kind: Kind,
    parameters: u64,
    /// `[n, …]`, the number of samples left out.
    input_shape: Vec<usize>,
    /// What the network gives: logits of classes, or a standardised number.
    output: &'static str,
    #[serde(flatten)]
    schema: &'a Schema,
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
    /// [`PredictorError::File`] where a file is there already and `overwrites` is not said, or
    /// `out` would be one of the files beside it; [`PredictorError::Exchange`] where the network
    /// cannot be written so.
    pub fn export(
        &self,
        format: Format,
        out: &Path,
        overwrites: bool,
    ) -> Result<Vec<PathBuf>, PredictorError> {
        let files = Self::exported_files(format, out);
        if files[1..].contains(&files[0]) {
            return Err(file(
                out,
                "a description or a program is written beside the network under this name: give \
                 the network another extension",
            ));
        }
        if let Some(there) = files.iter().find(|path| path.exists() && !overwrites) {
            return Err(file(
                there,
                "it is there already: choose another name, or say that it may be overwritten \
                 (--force)",
            ));
        }
        match &self.network {
            Network::Mlp(network) => self.write(network, Kind::Mlp, format, &files)?,
            Network::Cnn(network) => self.write(network, Kind::Cnn, format, &files)?,
        }
        Ok(files)
    }

    fn write<A: Architecture>(
        &self,
        network: &A,
        kind: Kind,
        format: Format,
        files: &[PathBuf],
    ) -> Result<(), PredictorError> {
        let (out, beside) = (&files[0], &files[1]);
        let schema = self.schema();
        let shape = schema.inputs.shape();
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let description = Exported {
            format,
            weights: name.clone().into_owned(),
            kind,
            parameters: parameter_count(network),
            input_shape: shape.clone(),
            output: match schema.target.goal() {
                crate::Goal::Classification => "logits",
                crate::Goal::Regression => "standardised number",
            },
            schema,
        };
        let text = serde_json::to_string(&description).map_err(|error| file(beside, error))?;
        match format {
            Format::Onnx => {
                let example = A::inputs(vec![0.0; shape.iter().product()], &shape, &device());
                let exporter = OnnxExporter::new().with_metadata("burgeon", text);
                exporter.export(network, &example)?.save(out)?;
            }
            Format::Safetensors => {
                let metadata = HashMap::from([
                    ("format".to_owned(), OWN_FORMAT.to_owned()),
                    ("burgeon".to_owned(), text),
                ]);
                let bytes = encode(&collect(network), &[], Some(metadata));
                write(out, &bytes.map_err(|error| file(out, error))?)?;
            }
            Format::Pytorch => {
                let layers = network.sequential(&shape);
                layers.state_dict(network)?.save(out)?;
                let program = program(&layers, &name, &description);
                write(&files[2], program.as_bytes())?;
            }
        }
        write_json(beside, &description)
    }
}

fn device() -> burn::tensor::Device {
    use burgeon::core::SplitBackend;
    burgeon::backend::flex::FLEX.device()
}

fn program(layers: &Sequential, weights: &str, description: &Exported<'_>) -> String {
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
