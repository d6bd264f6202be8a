//! The errors of reading data sets.
//!
//! ```
//! use burgeon_data::{DataError, DataSet};
//!
//! let error = DataSet::named("imagenet").unwrap_err();
//! assert!(matches!(&error, DataError::Unknown { name, .. } if name == "imagenet"));
//! assert!(error.to_string().contains("use one of optdigits"));
//! ```

use std::path::PathBuf;

/// What can be wrong with a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A name that stands for no data set.
    #[error("unknown data set `{name}`: use one of {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A data set is not there.
    #[error(
        "{name} is not in {directory}: run `cargo xtask data fetch {name}`, or put the files {files} \
         there"
    )]
    Absent {
        /// The data set.
        name: &'static str,
        /// Where it was looked for.
        directory: PathBuf,
        /// The files it consists of.
        files: String,
    },
    /// A file's hash is not the published one.
    #[error("{path}: sha256 is {found}, expected {expected}: delete the file and fetch it again")]
    Hash {
        /// The file.
        path: PathBuf,
        /// The published hash.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// A file's contents are not of its format.
    #[error("{what}: {problem}")]
    Format {
        /// The file or data set.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No source of a data set worked.
    #[error("{name} could not be fetched:\n{attempts}")]
    Fetch {
        /// The data set.
        name: &'static str,
        /// What was tried, a line each.
        attempts: String,
    },
}

impl DataError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn format(what: impl ToString, problem: impl ToString) -> Self {
        Self::Format {
            what: what.to_string(),
            problem: printable(&problem.to_string()),
        }
    }
}

/// The most characters of a problem that are shown.
const MOST_SHOWN: usize = 600;

/// `problem` as it can be printed, whatever bytes of a file it quotes.
fn printable(problem: &str) -> String {
    let mut shown = String::new();
    for (index, character) in problem.chars().enumerate() {
        match character {
            _ if index == MOST_SHOWN => {
                shown.push('…');
                break;
            }
            character if character.is_control() => shown.extend(character.escape_default()),
            character => shown.push(character),
        }
    }
    shown
}
