//! Checkpoints: one file that holds all of a run.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;

use burn::module::{Module, ParamId};
use burn::optim::ModuleOptimizer;
use safetensors::tensor::SafeTensors;
use sha2::{Digest, Sha256};

use crate::error::NnError;
use crate::records::GrowerState;
use crate::stored::{Weights, collect, decode, encode, restore, write_atomically};
use crate::surgery::read_optimizer;

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
    let model = restore(model, &weights).map_err(|problem| failed(&problem))?;
    let optimizer =
        read_optimizer(optimizer, &model, blob.data()).map_err(|error| failed(&error))?;
    let state = serde_json::from_str(entry("state")?).map_err(|error| failed(&error))?;
    Ok(Restored {
        model,
        optimizer,
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

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::{AdamConfig, GradientsParams};
    use burn::tensor::{Bytes, Device, Tensor};
    use burn_pack::{Reader, Writer};

    use super::*;

    /// An optimizer's record without the ids of its parameters.
    fn without_ids(record: &[u8]) -> Vec<u8> {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(record.to_vec())).expect("sound");
        let tensors = reader.into_tensors().expect("sound").into_iter();
        let anonymous = tensors.map(|tensor| {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().expect("sound");
            burn_pack::Tensor::new(name, dtype, shape, None, bytes)
        });
        let bytes = Writer::new(anonymous.collect()).into_bytes();
        bytes.expect("serialisable").to_vec()
    }

    /// The file with its optimizer's record altered, and a checksum that says it was not.
    fn signed_again(path: &Path) {
        let bytes = std::fs::read(path).expect("readable");
        let file = SafeTensors::deserialize(&bytes).expect("sound");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("sound");
        let mut metadata = header.metadata().clone().expect("there");
        let record = without_ids(file.tensor(OPTIMIZER).expect("there").data());
        let weights = decode(&file).expect("sound");
        metadata.insert("sha256".into(), digest(&weights, &record, &metadata));
        let bytes = encode(&weights, &[(OPTIMIZER, &record)], Some(metadata)).expect("sound");
        std::fs::write(path, bytes).expect("writable");
    }

    #[test]
    fn an_altered_optimizer_under_a_right_checksum_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.checkpoint");
        let device = Device::flex().autodiff();
        let model: Linear = LinearConfig::new(3, 2).init(&device);
        let mut optimizer = AdamConfig::new().init();
        let output = model.forward(Tensor::<2>::ones([1, 3], &device));
        let gradients = GradientsParams::from_grads(output.sum().backward(), &model);
        let model = optimizer.step(0.1, model, gradients);
        save(
            &path,
            &model,
            &optimizer,
            &GrowerState::default(),
            "settings",
        )
        .expect("writable");
        let load = || load(&path, &model, AdamConfig::new().init(), "settings");
        load().expect("sound");
        signed_again(&path);
        let Err(error) = load() else {
            panic!("an altered optimizer was read");
        };
        let said = error.to_string();
        let expected = "does not say whose parameter's it is";
        assert!(
            said.contains(expected),
            "`{said}` does not say `{expected}`"
        );
        assert!(said.contains("run.checkpoint"), "{said}");
    }
}
