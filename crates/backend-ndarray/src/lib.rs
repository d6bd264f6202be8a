//! Splitting on Burn's ndarray backend.

use burgeon_backend_host::HostBackend;
use burn::tensor::Device;

/// The CPU through `burn-ndarray`.
// Upstream deprecates the backend in favour of flex; this crate exists to offer it.
#[expect(deprecated, reason = "this crate is the ndarray backend")]
pub const NDARRAY: HostBackend = HostBackend::new("ndarray", Device::ndarray);
