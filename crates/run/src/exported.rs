//! Exported files.

use std::fs;
use std::path::Path;

use burgeon_data::own::Records;
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::network::Network;
use crate::prediction::{Prediction, predictions};
use crate::schema::Schema;
use crate::step::Step;
use crate::weights::Weights;

/// What the metadata of a safetensors file say, under `format`, whose weights lie as Burn has
/// them: `burgeon_exchange::OWN_FORMAT`.
const OWN_FORMAT: &str = "burgeon";

/// How a network is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// ONNX (opset 18), for any number of samples.
    Onnx,
    /// Safetensors under the names and in the layouts that Burn has, which `burgeon-run` reads.
    Safetensors,
    /// Safetensors as a state dict of PyTorch, with a Python program that loads it.
    Pytorch,
}

/// The type of weights in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Float32,
    /// The weights of linear layers and convolutions as int8, with a scale for each output.
    Int8,
}

/// What the description of an exported network says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// How it is written.
    pub format: Format,
    /// The type of its weights.
    #[serde(default)]
    pub precision: Precision,
    /// The file.
    pub weights: String,
    /// What kind of network it is.
    pub kind: String,
    /// Trained parameters.
    pub parameters: u64,
    /// `[n, …]`, the number of samples left out.
    pub input_shape: Vec<usize>,
    /// What the network gives: logits of classes, or a standardised number.
    pub output: String,
    /// What it computes.
    pub steps: Vec<Step>,
    /// What inputs and answers mean.
    #[serde(flatten)]
    pub schema: Schema,
}

/// An exported network, ready to predict.
#[derive(Debug, Clone)]
pub struct Runner {
    schema: Schema,
    network: Network,
}

impl Runner {
    /// The network of a file that `burgeon export --format safetensors` wrote.
    ///
    /// # Errors
    /// [`RunError::File`] that says what the file is instead, or what in it is damaged.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let refuse = |problem: String| RunError::File {
            path: path.to_owned(),
            problem,
        };
        let bytes = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let foreign = |problem: &dyn std::fmt::Display| {
            refuse(format!(
                "it is not what `burgeon export RUN --format safetensors --out FILE` writes: \
                 {problem}"
            ))
        };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| foreign(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| foreign(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(OWN_FORMAT) {
            return Err(foreign(&"its metadata do not say so"));
        }
        let text = metadata.get("burgeon");
        let text = text.ok_or_else(|| foreign(&"it has no description"))?;
        let described: Exported = serde_json::from_str(text).map_err(|error| {
            refuse(format!(
                "its description cannot be read ({error}): export the network again"
            ))
        })?;
        described.schema.check().map_err(refuse)?;
        if described.input_shape != described.schema.inputs.shape() {
            return Err(refuse(
                "its inputs are of another shape than it says".into(),
            ));
        }
        let weights = Weights::of(&file).map_err(refuse)?;
        let network = Network::new(described.steps, &described.input_shape, &weights)
            .map_err(|error| refuse(error.to_string()))?;
        if network.outputs() != described.schema.target.outputs() {
            return Err(refuse(format!(
                "it gives {} numbers, where {} are needed",
                network.outputs(),
                described.schema.target.outputs()
            )));
        }
        Ok(Self {
            schema: described.schema,
            network,
        })
    }

    /// What its inputs and answers mean.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A prediction for each row of `records`, which need no target.
    ///
    /// # Errors
    /// [`RunError::Schema`] where the columns or images are not those that it was made for.
    pub fn predict(&self, records: &Records) -> Result<Vec<Prediction>, RunError> {
        let inputs = self.schema.inputs.encode(records)?;
        let answers = self.network.answers(&inputs).into_iter().map(f64::from);
        let answers: Vec<f64> = answers.collect();
        Ok(predictions(&self.schema.target, &answers))
    }
}
