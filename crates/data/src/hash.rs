//! SHA-256 of files.
//!
//! ```
//! use burgeon_data::hash::sha256;
//!
//! assert!(sha256(b"abc").starts_with("ba7816bf8f01cfea"));
//! ```

use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::DataError;

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Reads a file and compares its SHA-256 with the published one.
///
/// # Errors
/// [`DataError::Io`] if it cannot be read, [`DataError::Hash`], naming both hashes,
/// if it is another file.
pub fn read_verified(path: &Path, expected: &str) -> Result<Vec<u8>, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path))?;
    let found = sha256(&bytes);
    if found != expected {
        return Err(DataError::Hash {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found,
        });
    }
    Ok(bytes)
}
