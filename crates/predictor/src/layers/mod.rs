//! Networks whose layers a file lists.

mod file;
mod layer;
mod module;
mod toml;

pub use file::NetworkFile;
pub(crate) use module::{MapsNetwork, RowsNetwork};
