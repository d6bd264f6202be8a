//! The layers that a file lists.

use burgeon_run::Function;
use serde::{Deserialize, Serialize};

/// A layer of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Layer {
    Linear {
        width: usize,
    },
    Conv {
        width: usize,
        kernel: usize,
        stride: usize,
    },
    Depthwise {
        kernel: usize,
        stride: usize,
    },
    Norm,
    Activation {
        function: Function,
    },
    MaxPool {
        size: usize,
    },
    MeanPool {
        size: usize,
    },
    GlobalMean,
    /// Adds what the layer of this number gave.
    Residual {
        layer: usize,
    },
    Dropout {
        rate: f64,
    },
}
