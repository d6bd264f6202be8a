//! What only grows over a run: its epochs and growth steps, in a file of their own to which each
//! save appends what is new.
//!
//! The file is a list of entries: eight bytes with the length, little-endian, and the entry in
//! CBOR. A checkpoint says how far the file counts and what the entries up to there hash to, so
//! that what a killed run has appended since does not count.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use burgeon_nn::NnError;
use burgeon_nn::stored::sync_folder;

/// How far a history counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    bytes: u64,
    epochs: usize,
    growths: usize,
    /// For each entry the hash of the one before's and the entry.
    chain: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry<E, G> {
    Epoch(E),
    Growth(G),
}

/// The history beside a checkpoint.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
    extent: Extent,
}

impl History {
    /// The history of `checkpoint`, of which nothing counts yet.
    pub fn beside(checkpoint: &Path) -> Self {
        Self {
            path: checkpoint.with_added_extension("history"),
            extent: Extent::default(),
        }
    }

    /// Appends what the file does not have yet, and cuts off before what does not count. Where it
    /// ends is given back: it counts once it is [committed](Self::commit).
    ///
    /// # Errors
    /// [`NnError::Io`], and [`NnError::File`] where the file or the lists are shorter than they
    /// were.
    pub fn append<E: Serialize, G: Serialize>(
        &self,
        epochs: &[E],
        growths: &[G],
    ) -> Result<Extent, NnError> {
        let failed = |problem: &dyn std::fmt::Display| NnError::file(&self.path, problem);
        let mut extent = self.extent;
        let new_epochs = epochs.get(extent.epochs..);
        let (Some(new_epochs), Some(new_growths)) = (new_epochs, growths.get(extent.growths..))
        else {
            return Err(failed(
                &"it holds epochs that the run does not have: it is of another run",
            ));
        };
        if new_epochs.is_empty() && new_growths.is_empty() {
            return Ok(extent);
        }
        let mut bytes = Vec::new();
        let new_epochs = new_epochs.iter().map(Entry::Epoch);
        let entries = new_epochs.chain(new_growths.iter().map(Entry::<&E, &G>::Growth));
        for entry in entries {
            let start = bytes.len();
            bytes.extend([0; 8]);
            ciborium::into_writer(&entry, &mut bytes).map_err(|error| failed(&error))?;
            let length = (bytes.len() - start - 8) as u64;
            bytes[start..start + 8].copy_from_slice(&length.to_le_bytes());
            extent.chain = linked(extent.chain, &bytes[start..]);
        }
        extent.bytes += bytes.len() as u64;
        (extent.epochs, extent.growths) = (epochs.len(), growths.len());
        let io = NnError::io;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.path)
            .map_err(io(&self.path))?;
        if file.metadata().map_err(io(&self.path))?.len() < self.extent.bytes {
            return Err(failed(&"it became shorter while the run used it"));
        }
        file.set_len(self.extent.bytes).map_err(io(&self.path))?;
        file.seek(SeekFrom::End(0)).map_err(io(&self.path))?;
        file.write_all(&bytes).map_err(io(&self.path))?;
        file.sync_all().map_err(io(&self.path))?;
        if self.extent.bytes == 0 {
            sync_folder(&self.path)?;
        }
        Ok(extent)
    }

    /// From now on the file counts up to `extent`.
    pub fn commit(&mut self, extent: Extent) {
        self.extent = extent;
    }

    /// Reads what counts up to `extent`.
    ///
    /// # Errors
    /// [`NnError::Io`] if the file cannot be read, [`NnError::File`] where it is damaged or of
    /// another checkpoint.
    pub fn read<E: DeserializeOwned, G: DeserializeOwned>(
        &self,
        extent: Extent,
    ) -> Result<(Vec<E>, Vec<G>), NnError> {
        let (mut epochs, mut growths) = (Vec::new(), Vec::new());
        if extent == Extent::default() {
            return Ok((epochs, growths));
        }
        let failed = |problem: &dyn std::fmt::Display| NnError::file(&self.path, problem);
        let damaged = || {
            failed(
                &"it does not match the checkpoint beside it: it is damaged or of another run; \
                  put the right one there, or delete both to start anew",
            )
        };
        let file = std::fs::File::open(&self.path).map_err(NnError::io(&self.path))?;
        let mut bytes = Vec::new();
        let mut file = file.take(extent.bytes);
        file.read_to_end(&mut bytes)
            .map_err(NnError::io(&self.path))?;
        let (mut entries, mut rest, mut chain) = (Vec::new(), &bytes[..], [0; 32]);
        while let Some((length, behind)) = rest.split_first_chunk::<8>() {
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
            let entry = behind.get(..length).ok_or_else(damaged)?;
            chain = linked(chain, &rest[..8 + length]);
            entries.push(entry);
            rest = &behind[length..];
        }
        let complete = bytes.len() as u64 == extent.bytes && rest.is_empty();
        if !complete || chain != extent.chain {
            return Err(damaged());
        }
        for entry in entries {
            match ciborium::from_reader(entry).map_err(|error| failed(&error))? {
                Entry::Epoch(epoch) => epochs.push(epoch),
                Entry::Growth(growth) => growths.push(growth),
            }
        }
        if (epochs.len(), growths.len()) != (extent.epochs, extent.growths) {
            return Err(damaged());
        }
        Ok((epochs, growths))
    }
}

fn linked(chain: [u8; 32], entry: &[u8]) -> [u8; 32] {
    let hasher = Sha256::new().chain_update(chain).chain_update(entry);
    hasher.finalize().into()
}
