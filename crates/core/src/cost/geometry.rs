//! Where a layer works.

use serde::{Deserialize, Serialize};

/// Window and maps of a layer, by `[rows, columns]`: what a model of an accelerator needs besides
/// counts. The default is a linear layer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Geometry {
    /// The kernel.
    pub kernel: [usize; 2],
    /// Its step.
    pub stride: [usize; 2],
    /// The map that is read, without padding. Of one use of a layer that is used several times.
    pub input: [usize; 2],
    /// The map that is given.
    pub output: [usize; 2],
    /// Groups of channels that do not mix. Each output of a group reads the layer's `inputs`, and
    /// each group gives its share of the layer's `outputs`. A channel-wise layer has one for each
    /// channel, whatever is said here, so that channels can be added to it.
    pub groups: usize,
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            kernel: [1, 1],
            stride: [1, 1],
            input: [1, 1],
            output: [1, 1],
            groups: 1,
        }
    }
}
