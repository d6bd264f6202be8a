//! What was learned so far, in a file: all columns, masks and records.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burgeon_nn::NnError;
use burgeon_nn::stored::{Weights, collect, decode, encode, restore, write_atomically};
use burgeon_train::Identity;
use burn::tensor::Device;
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::column::Column;
use crate::error::ContinualError;
use crate::mask::Mask;
use crate::network::ColumnNetwork;
use crate::record::LearnedTask;

const FORMAT: &str = "burgeon continual 1";
const CONTENTS: &str = "@contents";

/// All but weights.
#[derive(Serialize, Deserialize)]
struct Contents {
    identity: Identity,
    columns: Vec<KeptColumn>,
    learned: Vec<LearnedTask>,
}

#[derive(Serialize, Deserialize)]
struct KeptColumn {
    mask: Mask,
    widths: Vec<usize>,
    classes: usize,
    macs: u64,
}

/// The file of one run.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    settings: String,
}

impl Checkpoint {
    /// In the file `path`, whether it is there yet or not, of a run with these settings.
    pub fn new(path: PathBuf, settings: String) -> Self {
        Self { path, settings }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what was learned; a kill meanwhile leaves the file of before.
    pub fn save(
        &self,
        network: &ColumnNetwork,
        learned: &[LearnedTask],
    ) -> Result<(), ContinualError> {
        let failed = |error: String| NnError::file(&self.path, error);
        let mut weights = Weights::new();
        let mut columns = Vec::new();
        for (task, frozen) in network.columns().iter().enumerate() {
            let own = collect(&frozen.column).into_iter();
            weights.extend(own.map(|(path, weight)| (format!("{task}.{path}"), weight)));
            columns.push(KeptColumn {
                mask: frozen.mask.clone(),
                widths: frozen.column.widths(),
                classes: frozen.column.classes(),
                macs: frozen.macs,
            });
        }
        let contents = Contents {
            identity: self.identity(network.architecture()),
            columns,
            learned: learned.to_vec(),
        };
        let json = serde_json::to_vec(&contents).map_err(|error| failed(error.to_string()))?;
        let metadata = HashMap::from([("format".to_owned(), FORMAT.to_owned())]);
        let bytes = encode(&weights, &[(CONTENTS, &json)], Some(metadata)).map_err(failed)?;
        Ok(write_atomically(&self.path, &bytes)?)
    }

    /// What was learned so far; `None` if there is no such file.
    pub fn load(
        &self,
        architecture: &Architecture,
        device: &Device,
    ) -> Result<Option<(ColumnNetwork, Vec<LearnedTask>)>, ContinualError> {
        let failed = |error: String| NnError::file(&self.path, error);
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(NnError::io(&self.path)(error).into()),
        };
        let foreign = || {
            failed(format!(
                "not a file of `{FORMAT}`, or damaged: delete it to start anew"
            ))
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| foreign())?;
        let metadata = header.metadata().as_ref();
        if metadata
            .and_then(|metadata| metadata.get("format"))
            .map(String::as_str)
            != Some(FORMAT)
        {
            return Err(foreign().into());
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|_| foreign())?;
        let blob = file.tensor(CONTENTS).map_err(|_| foreign())?;
        let contents: Contents = serde_json::from_slice(blob.data()).map_err(|_| foreign())?;
        let differences = contents.identity.differences(&self.identity(architecture));
        if !differences.is_empty() {
            let differences: Vec<String> = differences.iter().map(|d| d.to_string()).collect();
            return Err(failed(format!(
                "it belongs to another run. What differs: {}. Go on with what it was begun with, or \
                 use another file",
                differences.join("; ")
            ))
            .into());
        }
        let mut weights: Vec<Weights> = vec![Weights::new(); contents.columns.len()];
        for (path, weight) in decode(&file).map_err(failed)? {
            let found = path.split_once('.').and_then(|(task, path)| {
                Some((weights.get_mut(task.parse::<usize>().ok()?)?, path))
            });
            if let Some((own, path)) = found {
                own.insert(path.to_owned(), weight);
            }
        }
        // Which parameters are trained is lost off the tape.
        let on_tape = device.clone().autodiff();
        let mut network = ColumnNetwork::new(architecture.clone());
        for (kept, weights) in contents.columns.into_iter().zip(weights) {
            architecture.check_widths(&kept.widths)?;
            let reused: Vec<usize> = kept.mask.layers().iter().map(Vec::len).collect();
            if reused.len() != kept.widths.len() || !kept.mask.fits(&network.widths()) {
                return Err(foreign().into());
            }
            let shaped = Column::new(
                architecture,
                &kept.widths,
                &reused,
                kept.classes,
                0,
                &on_tape,
            );
            for (path, own) in collect(&shaped) {
                let found = weights.get(&path).map(|weight| weight.data.shape());
                if found.as_ref() != Some(&own.data.shape()) {
                    return Err(foreign().into());
                }
            }
            let column = restore(&shaped, &weights).map_err(failed)?;
            network.freeze(&column, kept.mask, kept.macs);
        }
        Ok(Some((network, contents.learned)))
    }

    fn identity(&self, architecture: &Architecture) -> Identity {
        Identity::new()
            .with("settings", &self.settings)
            .with("architecture", format!("{architecture:?}"))
    }
}
