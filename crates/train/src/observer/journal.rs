//! The growth journal: one JSON line for each growth step.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use burgeon_nn::NnError;
use burgeon_nn::stored::write_atomically;

use super::{Event, Observer};
use crate::records::GrowthRecord;

/// Writes every [`GrowthRecord`] to a JSONL file.
///
/// When a run resumes, the file is rewritten from the checkpoint first, so that
/// it never holds a step that the run took back.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
}

impl Journal {
    /// A journal at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            file: None,
        }
    }
}

impl Observer for Journal {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        match event {
            Event::Started(state) => {
                let lines = state.journal.iter().map(|record| line(&self.path, record));
                let text = lines.collect::<Result<String, _>>()?;
                write_atomically(&self.path, text.as_bytes())?;
                let file = OpenOptions::new().append(true).open(&self.path);
                self.file = Some(file.map_err(NnError::io(&self.path))?);
                Ok(())
            }
            Event::Growth(record) => match &mut self.file {
                Some(file) => file
                    .write_all(line(&self.path, record)?.as_bytes())
                    .map_err(NnError::io(&self.path)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn line(path: &Path, record: &GrowthRecord) -> Result<String, NnError> {
    let json = serde_json::to_string(record).map_err(|error| NnError::file(path, error))?;
    Ok(json + "\n")
}

/// Reads a journal.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be read, [`NnError::File`] naming the first line
/// that is no growth record.
pub fn read_journal(path: &Path) -> Result<Vec<GrowthRecord>, NnError> {
    let file = File::open(path).map_err(NnError::io(path))?;
    let mut records = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(NnError::io(path))?;
        records.push(serde_json::from_str(&line).map_err(|error| {
            NnError::file(
                path,
                format!("line {} is no growth record: {error}", index + 1),
            )
        })?);
    }
    Ok(records)
}
