//! A model's weights by name, whatever their widths.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Metadata, SafeTensors};

use crate::any::{AnyInput, AnyModel};
use crate::architecture::Architecture;
use crate::error::NnError;
use crate::fit;
use crate::growable::Growable;
use crate::ports::Input;
use crate::stored::{Weight, Weights, collect, decode, encode, float, restore, write_atomically};
use crate::trace::Trace;

/// The metadata that says how many blocks the model's stacks have, and in which order.
const STACKS: &str = "stacks";

/// Writes all floats of `model` to a safetensors file, under their paths in the
/// model. A grown model's widths are those of its weights; how many blocks its stacks have, and in
/// which order, is in the file's metadata. Nothing else is needed to load it again.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be written.
pub fn save_weights<M: Growable>(model: &M, path: &Path) -> Result<(), NnError> {
    save(&AnyModel::new(model.clone())?, path)
}

fn save(model: &AnyModel, path: &Path) -> Result<(), NnError> {
    let architecture = Architecture::of(model);
    let metadata = match architecture.is_empty() {
        true => None,
        false => {
            let text = serde_json::to_string(&architecture).map_err(|e| NnError::file(path, e))?;
            Some(HashMap::from([(STACKS.to_owned(), text)]))
        }
    };
    let bytes = encode(&collect(model), &[], metadata).map_err(|e| NnError::file(path, e))?;
    write_atomically(path, &bytes)
}

/// `model` with the weights of a file that [`save_weights`] wrote, in the model's types, at
/// whatever widths and with whatever blocks growing can have given them: `model` must have as many
/// blocks as the one that was grown began with. `example` is an input of at least one row, by
/// which it is found out which widths belong together.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be read, [`NnError::File`] if it does not hold
/// this model's weights: the message names the first parameter that is missing, unknown, of a
/// shape that the model or the other parameters do not allow, or too large for its type.
pub fn load_weights<M: Growable>(model: &M, path: &Path, example: &M::Input) -> Result<M, NnError> {
    let any = AnyModel::new(model.clone())?;
    match load(&any, path, &AnyInput::new(example.clone()))?.downcast() {
        Ok(model) => Ok(model),
        Err(_) => unreachable!("loading changes what is in a model, never its type"),
    }
}

fn load(model: &AnyModel, path: &Path, example: &AnyInput) -> Result<AnyModel, NnError> {
    if example.is_empty() {
        return Err(NnError::Data(
            "an example of at least one row is needed to load weights".into(),
        ));
    }
    let example = example.select_rows(&[0]);
    let bytes = std::fs::read(path).map_err(NnError::io(path))?;
    let foreign = |error| NnError::file(path, format!("not a safetensors file: {error}"));
    let file = SafeTensors::deserialize(&bytes).map_err(foreign)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(foreign)?;
    let model = &shaped(model, &header).map_err(|error| NnError::file(path, error))?;
    let trace = Trace::of(model, &example, |model: &AnyModel, input| {
        model.clone().rebuilt().predict(input)
    })?;
    let own = collect(model);
    let weights = fitted(&file, &own).map_err(|error| NnError::file(path, error))?;
    fit::check_shapes(trace.graph(), &weights).map_err(|error| NnError::file(path, error))?;
    let restored = restore(model, &weights).map_err(|error| NnError::file(path, error))?;
    Ok(restored.rebuilt())
}

/// `model` with the blocks that a file's header says.
fn shaped(model: &AnyModel, header: &Metadata) -> Result<AnyModel, String> {
    let metadata = header.metadata().as_ref();
    let Some(text) = metadata.and_then(|metadata| metadata.get(STACKS)) else {
        return Ok(model.clone());
    };
    let architecture: Architecture = serde_json::from_str(text)
        .map_err(|error| format!("its metadata `{STACKS}` cannot be read: {error}"))?;
    architecture.check(header.tensors().len())?;
    architecture.shape(model).map_err(|error| error.to_string())
}

/// The floats of a file with the ids and types of the model's `own`: files name parameters by
/// path.
fn fitted(file: &SafeTensors, own: &Weights) -> Result<Weights, String> {
    for (name, view) in file.tensors() {
        if own.contains_key(&name) && float(view.dtype()).is_none() {
            return Err(format!("`{name}` is in {:?}, not in floats", view.dtype()));
        }
    }
    let fit = |(name, mut weight): (String, Weight)| {
        if let Some(own) = own.get(&name) {
            weight.id = own.id;
            weight = fit::cast(&name, weight, own.data.dtype())?;
        }
        Ok((name, weight))
    };
    decode(file)?.into_iter().map(fit).collect()
}
