//! The errors of exchanging networks.

use std::path::{Path, PathBuf};

use burgeon_nn::NnError;
use burgeon_zoo::ZooError;

/// What keeps a network from being taken away or brought in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The network cannot be traced, or its weights are not what it needs.
    #[error(transparent)]
    Network(#[from] NnError),
    /// The file's widths make no network of the zoo.
    #[error(transparent)]
    Zoo(#[from] ZooError),
    /// An operation of the network that is not written as ONNX.
    #[error("`{operation}` {} cannot be written as ONNX: {advice}", place(layer))]
    UnsupportedOperation {
        /// Its name.
        operation: String,
        /// The layer that it belongs to, or follows.
        layer: String,
        /// What to do.
        advice: String,
    },
    /// A layer whose parameters PyTorch has under no name that is known here.
    #[error(
        "`{layer}` is a `{kind}`, whose parameters have no known names and layout in PyTorch: take \
         linear layers, convolutions and batch or layer normalisation"
    )]
    UnsupportedLayer {
        /// The layer's path in the network.
        layer: String,
        /// Its kind.
        kind: String,
    },
    /// A tensor that the network needs.
    #[error("{path}: the tensor `{tensor}` is missing; there are {}", few(found))]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The tensors that are there.
        found: Vec<String>,
    },
    /// A tensor of another shape than the rest of the network needs.
    #[error("{path}: the tensor `{tensor}` is of shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What the network needs.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
    /// A tensor that is no float.
    #[error("{path}: the tensor `{tensor}` is of type {found}, expected floats")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What the file has.
        found: String,
    },
    /// Tensors for which the network has no place.
    #[error("{path}: {} are no part of {network}", few(tensors))]
    UnknownTensors {
        /// The file.
        path: PathBuf,
        /// The tensors.
        tensors: Vec<String>,
        /// The network.
        network: String,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
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
}

impl ExchangeError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }
}

fn place(layer: &str) -> String {
    match layer {
        "" => "before the first layer".to_owned(),
        layer => format!("at `{layer}`"),
    }
}

/// The first names of many.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    let mut text = shown.join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
