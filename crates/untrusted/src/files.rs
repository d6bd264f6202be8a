//! Files for readers that take paths, and what every error must be.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = TempDir::new().expect("a folder for files");
}

/// Writes each of `files` into a folder of this thread's, and hands the folder over. Files of an
/// earlier call that have other names are gone.
pub(crate) fn with_files(files: &[(&str, &[u8])], read: impl FnOnce(&Path)) {
    FOLDER.with(|folder| {
        let folder = folder.path().join("files");
        // There is none at the first call.
        let _ = fs::remove_dir_all(&folder);
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&folder)).expect("a folder");
            fs::write(path, bytes).expect("writable");
        }
        read(&folder);
    });
}

/// What `result` holds. An error must say something, and not all that the file holds.
///
/// # Panics
/// Where it does not.
pub(crate) fn told<T, E: Display>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() > 5, "{text:?} says nothing");
            assert!(text.len() < 1 << 16, "an error of {} bytes", text.len());
            None
        }
    }
}

/// Two parts of `bytes`: the first two bytes say, little-endian, how long the first one is.
pub(crate) fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.split_first_chunk::<2>() {
        Some((length, rest)) => {
            let length = usize::from(u16::from_le_bytes(*length));
            rest.split_at(length.min(rest.len()))
        }
        None => (bytes, &[]),
    }
}
