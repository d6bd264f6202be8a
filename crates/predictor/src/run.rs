//! The folder of a run.

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::nn::stored::write_atomically;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use burgeon_run::Schema;

use crate::architecture::{Form, Kind};
use crate::error::{PredictorError, file, io};
use crate::latency::PassLatency;
use crate::layers::NetworkFile;
use crate::settings::FitSettings;

/// The most hidden layers of a network.
const MOST_LAYERS: usize = 1000;

/// The version of the files below.
const VERSION: u32 = 1;

/// What a network needs beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub version: u32,
    pub schema: Schema,
    pub kind: Kind,
    pub layers: usize,
    /// Of the network that growing started from.
    pub start_width: usize,
    /// The layers, where a file listed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkFile>,
    /// A hash of the file that it was read from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
}

impl Description {
    /// Of a network of `form`.
    pub fn new(schema: Schema, form: &Form) -> Self {
        Self {
            version: VERSION,
            schema,
            kind: form.kind,
            layers: form.widths.len(),
            start_width: form.widths.first().copied().unwrap_or(1),
            network: form.file.clone(),
            start: None,
        }
    }

    /// The form of the network that growing started from.
    pub fn form(&self) -> Form {
        Form {
            kind: self.kind,
            shape: self.schema.inputs.shape(),
            outputs: self.schema.target.outputs(),
            widths: vec![self.start_width; self.layers],
            file: self.network.clone(),
        }
    }

    /// Checks what a person may have changed in the file.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!(
                "it is of version {}, this program reads version {VERSION}: take the program that \
                 wrote it, or grow anew",
                self.version
            ));
        }
        self.schema.check()?;
        if self.layers > MOST_LAYERS {
            return Err(format!(
                "{} layers: at most {MOST_LAYERS} are read",
                self.layers
            ));
        }
        match (self.kind, &self.network) {
            (Kind::Layers, Some(file)) => file.check(&self.schema.inputs.shape()),
            (Kind::Layers, None) => Err("the list of layers is missing".into()),
            _ if self.layers == 0 || self.start_width == 0 => {
                Err("a network without layers or neurons".into())
            }
            _ => Ok(()),
        }
    }
}

/// A network that a run passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Trained parameters.
    pub parameters: u64,
    /// Neurons of each hidden layer.
    pub widths: Vec<(String, usize)>,
    /// Its best epoch on the held samples, from 1.
    pub epoch: usize,
    /// Loss on the held samples then; of standardised numbers for a regression.
    pub held_loss: f64,
    /// Accuracy on the held samples then, where classes are predicted.
    pub held_accuracy: Option<f64>,
    /// Its weights, in the run's folder.
    pub weights: String,
    /// Multiply-accumulates for one sample.
    #[serde(default)]
    pub macs: u64,
    /// One forward pass, where the budget is one of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyFigures>,
}

/// One forward pass of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyFigures {
    /// What growing went by, in nanoseconds.
    pub predicted: u64,
    /// Measured at the end, in nanoseconds; the median.
    pub measured: u64,
}

/// A network that was brought in, before any training here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StartFigures {
    /// Trained parameters.
    pub parameters: u64,
    /// Loss on the held samples.
    pub held_loss: f64,
    /// Accuracy on the held samples, where classes are predicted.
    pub held_accuracy: Option<f64>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Where the data came from.
    pub data: String,
    /// Rows trained on.
    pub train_rows: usize,
    /// Rows held out.
    pub held_rows: usize,
    /// What the fit was told.
    pub settings: FitSettings,
    /// The network that growing started from, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartFigures>,
    /// Every size that was passed, the smallest first; any of them can be taken.
    pub sizes: Vec<Size>,
    /// The parameters of the best one on the held samples, whose weights are the run's.
    pub best: u64,
    /// Multiply-accumulates of the whole run.
    pub training_macs: u64,
    /// Why it ended.
    pub ended: String,
    /// How latency was predicted, where the budget is one of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<String>,
}

/// The paths in a run's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder.
    pub fn make(path: &Path) -> Result<Self, PredictorError> {
        let sizes = path.join("sizes");
        fs::create_dir_all(&sizes).map_err(io(sizes))?;
        Ok(Self(path.to_owned()))
    }

    /// A folder that is there.
    pub fn open(path: &Path) -> Result<Self, PredictorError> {
        let folder = Self(path.to_owned());
        match folder.description().is_file() {
            true => Ok(folder),
            false => Err(file(
                path,
                "no run of `burgeon grow` is here: predictor.json is missing",
            )),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks that what is in the folder was not begun from another network than `own`.
    pub fn check_start(&self, own: &Description) -> Result<(), PredictorError> {
        if !self.description().is_file() || !self.checkpoint().exists() {
            return Ok(());
        }
        let begun: Description = read_json(&self.description())?;
        if begun.network != own.network {
            return Err(file(
                &self.0,
                "the run in it was begun with other layers: give the same list of them, or another \
                 folder",
            ));
        }
        match begun.start == own.start {
            true => Ok(()),
            false => Err(file(
                &self.0,
                "the run in it was begun from another network: give the same file to start from, \
                 or another folder",
            )),
        }
    }

    pub fn description(&self) -> PathBuf {
        self.0.join("predictor.json")
    }

    pub fn weights(&self) -> PathBuf {
        self.0.join("weights.safetensors")
    }

    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    pub fn card(&self) -> PathBuf {
        self.0.join("MODEL_CARD.md")
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// What latency is predicted by, beside a checkpoint that went by it.
    pub fn latency(&self) -> PathBuf {
        self.0.join("latency.json")
    }

    /// What the run that was begun in `path` predicts latency by, if one was.
    pub fn kept_latency(path: &Path) -> Result<Option<PassLatency>, PredictorError> {
        let folder = Self(path.to_owned());
        match (folder.checkpoint().exists(), folder.latency().is_file()) {
            (false, _) => Ok(None),
            (true, true) => read_json(&folder.latency()).map(Some),
            (true, false) => Err(file(
                folder.latency(),
                "the run in this folder was begun with a budget of another kind, or this file was \
                 removed, by which it goes on: take another folder",
            )),
        }
    }

    /// The weights of the network with so many parameters, from the folder on.
    pub fn size(parameters: u64) -> String {
        format!("sizes/{parameters}.safetensors")
    }
}

/// What came of the run in `folder`.
///
/// # Errors
/// [`PredictorError::File`] where there is no run, or none that is finished.
pub fn summary_of(folder: &Path) -> Result<Summary, PredictorError> {
    let folder = Folder::open(folder)?;
    match folder.summary().is_file() {
        true => read_json(&folder.summary()),
        false => Err(file(
            folder.summary(),
            "the run is not finished: begin it again and it goes on",
        )),
    }
}

/// Writes a file whole or not at all, also after a loss of power.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), PredictorError> {
    Ok(write_atomically(path, bytes)?)
}

pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), PredictorError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| file(path, error))?;
    write(path, text.as_bytes())
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, PredictorError> {
    let text = fs::read_to_string(path).map_err(io(path))?;
    serde_json::from_str(&text).map_err(|error| file(path, format!("damaged: {error}")))
}
