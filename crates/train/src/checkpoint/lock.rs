//! One run at a time on a checkpoint.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use burgeon_nn::NnError;

/// A lock of the operating system, which ends with the process, whatever ends that.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Locks `checkpoint` by the empty file `NAME.lock` beside it.
    ///
    /// # Errors
    /// [`NnError::File`] if another run holds it, [`NnError::Io`] if it cannot be made.
    pub fn take(checkpoint: &Path) -> Result<Self, NnError> {
        let path = checkpoint.with_added_extension("lock");
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(NnError::io(&path))?;
            match file.try_lock() {
                // Its last holder may have removed it since it was opened.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(Self { _held: file }),
                Err(TryLockError::WouldBlock) => {
                    return Err(NnError::file(
                        checkpoint,
                        "another run keeps its checkpoint here: wait for its end, or use another \
                         file",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(NnError::io(&path)(error)),
            }
        }
    }
}

/// Whether `file` is the one at `path` still.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (own, there) = (file.metadata().map(place), path.metadata().map(place));
    matches!((own, there), (Ok(own), Ok(there)) if own == there)
}

/// Whether `file` is the one at `path` still: other systems do not free the name of an open file.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
