//! What can be wrong with a device.

use thiserror::Error;

use crate::runtime::Runtime;

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// The runtime was not compiled in.
    #[error("this build has no {runtime} devices: build it with `--features {feature}`")]
    NotBuilt {
        /// The runtime.
        runtime: Runtime,
        /// The feature that has it.
        feature: &'static str,
    },
    /// There is no such device, or no driver that could tell.
    #[error("no {runtime} device: {needs}")]
    None {
        /// The runtime.
        runtime: Runtime,
        /// What the runtime needs of the machine.
        needs: &'static str,
    },
    /// NVIDIA's mathematical functions, which kernels are linked with as they are compiled, are missing.
    #[error("cuda devices need libdevice: {0}")]
    Libdevice(String),
    /// The index is past the last device.
    #[error("there is no {runtime}:{index}, only {found} such device(s), counted from 0")]
    Index {
        /// The runtime.
        runtime: Runtime,
        /// The index that was asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
    /// The device is there and does not compute.
    #[error("{runtime}:{index} does not start: {reason}")]
    Start {
        /// The runtime.
        runtime: Runtime,
        /// The device's index.
        index: usize,
        /// What the runtime said.
        reason: String,
    },
}
