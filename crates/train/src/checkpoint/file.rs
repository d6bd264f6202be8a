//! The checkpoint's file: safetensors, so that other tools read the weights, with byte strings
//! for the rest and a hash of all of it.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::SafeTensors;
use sha2::{Digest, Sha256};

use burgeon_nn::NnError;
use burgeon_nn::hash::hex;
use burgeon_nn::stored::{Weights, decode, encode};

/// What the format is called, before its version.
const FORMAT: &str = "burgeon checkpoint ";
const VERSION: &str = "2";

/// The names of byte strings; no path in a model has this sign.
const OPTIMIZER: &str = "@optimizer";
const CONTENTS: &str = "@contents";

/// Digits of the hash.
const DIGITS: usize = 64;
const UNSIGNED: [u8; DIGITS] = [b'0'; DIGITS];

/// What is in the file.
pub(super) struct Parts {
    /// With fresh ids.
    pub weights: Weights,
    pub optimizer: Vec<u8>,
    pub contents: Vec<u8>,
}

/// The bytes of a file.
///
/// # Errors
/// What cannot be stored.
pub(super) fn write(
    weights: &Weights,
    optimizer: &[u8],
    contents: &[u8],
) -> Result<Vec<u8>, String> {
    let hash = String::from_utf8_lossy(&UNSIGNED).into_owned();
    let metadata = HashMap::from([
        ("format".to_owned(), format!("{FORMAT}{VERSION}")),
        ("sha256".to_owned(), hash),
    ]);
    let blobs = [(OPTIMIZER, optimizer), (CONTENTS, contents)];
    let mut bytes = encode(weights, &blobs, Some(metadata))?;
    sign(&mut bytes);
    Ok(bytes)
}

/// Puts the hash into its place.
pub(super) fn sign(bytes: &mut [u8]) {
    if let Some(place) = place_of_hash(bytes) {
        let hash = hash_around(bytes, place);
        bytes[place..place + DIGITS].copy_from_slice(hash.as_bytes());
    }
}

/// The parts of a file, of which nothing is looked at before the hash is right.
///
/// # Errors
/// [`NnError::File`] that tells what is no checkpoint, of another version, or damaged.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Parts, NnError> {
    let failed = |problem: &dyn std::fmt::Display| NnError::file(path, problem);
    let foreign = || failed(&"not a checkpoint of burgeon, or damaged: delete it to start anew");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| foreign())?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let version = metadata.get("format").and_then(|f| f.strip_prefix(FORMAT));
    let version = version.ok_or_else(foreign)?;
    if version != VERSION {
        return Err(failed(&format!(
            "a checkpoint of format {version}, of which this version of burgeon reads only \
             {VERSION}: go on with the version that wrote it, or delete it to start anew"
        )));
    }
    let place = place_of_hash(bytes).ok_or_else(foreign)?;
    if hash_around(bytes, place).as_bytes() != &bytes[place..place + DIGITS] {
        return Err(failed(
            &"its contents do not match its checksum: it is damaged; delete it to start anew",
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|_| foreign())?;
    let blob = |name| {
        let view = file.tensor(name).map_err(|_| foreign())?;
        Ok::<_, NnError>(view.data().to_vec())
    };
    Ok(Parts {
        weights: decode(&file).map_err(|error| failed(&error))?,
        optimizer: blob(OPTIMIZER)?,
        contents: blob(CONTENTS)?,
    })
}

/// Where the hash stands: in the header, which comes first.
fn place_of_hash(bytes: &[u8]) -> Option<usize> {
    const KEY: &[u8] = b"\"sha256\":\"";
    let place = bytes.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    (bytes.len() >= place + DIGITS).then_some(place)
}

/// The hash of all bytes, those at its own place taken for zeros.
fn hash_around(bytes: &[u8], place: usize) -> String {
    let hasher = Sha256::new()
        .chain_update(&bytes[..place])
        .chain_update(UNSIGNED)
        .chain_update(&bytes[place + DIGITS..]);
    hex(&hasher.finalize())
}
