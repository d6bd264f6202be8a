//! Real data sets: embedded, from files, checked by hash.
//!
//! [`optdigits`] needs no download. The others are read from a directory after
//! every file's hash was checked; [`catalogue`] names their files and where
//! they come from, [`fetch`] gets them.

pub mod catalogue;
pub mod cifar;
pub mod error;
pub mod fetch;
mod files;
pub mod hash;
pub mod idx;
pub mod images;
pub mod optdigits;
pub mod own;
mod spoken;
pub mod uci;
mod zip;

pub use catalogue::{DataSet, Status, load};
pub use error::DataError;
pub use files::DataFile;
pub use images::{ImageSet, Images};
pub use uci::{TableSet, load_table};
