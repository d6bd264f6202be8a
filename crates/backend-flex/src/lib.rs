//! Splitting on Burn's flex backend.

use burgeon_backend_host::HostBackend;
use burn::tensor::Device;

/// The CPU through `burn-flex`.
pub const FLEX: HostBackend = HostBackend::new("flex", Device::flex);
