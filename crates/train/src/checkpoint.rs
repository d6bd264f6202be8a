//! Checkpoints: one file that holds all of a run.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;

use burgeon_nn::NnError;
use burgeon_nn::stored::{Weights, collect, decode, encode, restore, write_atomically};
use burn::module::{Module, ParamId};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use safetensors::tensor::SafeTensors;
use sha2::{Digest, Sha256};

use crate::records::GrowerState;

const FORMAT: &str = "burgeon checkpoint 1";
const OPTIMIZER: &str = "optimizer";

/// What a checkpoint gives back.
pub(crate) struct Restored<M> {
    pub model: M,
    pub optimizer: ModuleOptimizer,
    pub state: GrowerState,
}

/// Writes model, optimizer and state to `path`, a safetensors file. A run
/// killed while writing leaves the file of before.
///
/// `settings` describes the run: another run's checkpoint is refused.
pub(crate) fn save<M: Module>(
    path: &Path,
    model: &M,
    optimizer: &ModuleOptimizer,
    state: &GrowerState,
    settings: &str,
) -> Result<(), NnError> {
    let failed = |error: &dyn std::fmt::Display| NnError::file(path, error);
    let weights = collect(model);
    let optimizer = optimizer
        .to_record()
        .into_bytes()
        .map_err(|error| failed(&error))?;
    let ids: BTreeMap<&str, u64> = weights
        .iter()
        .map(|(name, weight)| (name.as_str(), weight.id.val()))
        .collect();
    let state = serde_json::to_string(state).map_err(|error| failed(&error))?;
    let ids = serde_json::to_string(&ids).map_err(|error| failed(&error))?;
    let mut metadata: HashMap<String, String> = [
        ("format", FORMAT.to_owned()),
        ("settings", settings.to_owned()),
        ("state", state),
        ("ids", ids),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    metadata.insert("sha256".into(), digest(&weights, &optimizer, &metadata));
    let bytes = encode(&weights, &[(OPTIMIZER, &optimizer)], Some(metadata))
        .map_err(|error| failed(&error))?;
    write_atomically(path, &bytes)
}

/// Reads what [`save`] wrote into a fresh `model` and `optimizer` of the same kind.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be read, [`NnError::File`] if it is damaged,
/// no checkpoint, or of another run.
pub(crate) fn load<M: Module>(
    path: &Path,
    model: &M,
    optimizer: ModuleOptimizer,
    settings: &str,
) -> Result<Restored<M>, NnError> {
    let failed = |problem: &dyn std::fmt::Display| NnError::file(path, problem);
    let bytes = std::fs::read(path).map_err(NnError::io(path))?;
    let foreign = "not a checkpoint of burgeon, or damaged: delete it to start anew";
    let file = SafeTensors::deserialize(&bytes).map_err(|_| failed(&foreign))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| failed(&foreign))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let entry = |key: &str| metadata.get(key).ok_or_else(|| failed(&foreign));
    if entry("format")? != FORMAT {
        return Err(failed(&foreign));
    }
    let mut weights = decode(&file).map_err(|error| failed(&error))?;
    let ids: BTreeMap<String, u64> =
        serde_json::from_str(entry("ids")?).map_err(|_| failed(&foreign))?;
    for (name, weight) in &mut weights {
        weight.id = ParamId::from(*ids.get(name).ok_or_else(|| failed(&foreign))?);
    }
    let blob = file.tensor(OPTIMIZER).map_err(|_| failed(&foreign))?;
    if *entry("sha256")? != digest(&weights, blob.data(), &metadata) {
        return Err(failed(
            &"its contents do not match its checksum: it is damaged; delete it to start anew",
        ));
    }
    if entry("settings")? != settings {
        return Err(failed(
            &"it belongs to a run with other settings, data or layers: resume with the same \
              ones, or use another file",
        ));
    }
    let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(blob.data().to_vec()))
        .map_err(|error| failed(&error))?;
    let state = serde_json::from_str(entry("state")?).map_err(|error| failed(&error))?;
    Ok(Restored {
        model: restore(model, &weights).map_err(|problem| failed(&problem))?,
        optimizer: optimizer.load_record(record),
        state,
    })
}

/// A hash of everything but the hash.
fn digest(weights: &Weights, optimizer: &[u8], metadata: &HashMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (name, weight) in weights {
        hasher.update(name);
        hasher.update(format!("{:?}", weight.data.shape()));
        hasher.update(weight.data.as_bytes());
    }
    hasher.update(optimizer);
    let ordered: BTreeMap<_, _> = metadata
        .iter()
        .filter(|(key, _)| *key != "sha256")
        .collect();
    for (key, value) in ordered {
        hasher.update(key);
        hasher.update(value);
    }
    hasher
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
