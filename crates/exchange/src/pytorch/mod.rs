//! PyTorch's state dicts: read, written, and made networks of.

pub(crate) mod layouts;
pub(crate) mod sequential;
pub(crate) mod state_dict;
pub(crate) mod torchvision;
