//! Models of all types as one type.
//!
//! Code that is generic over models is compiled once more for each of them: by this it is compiled
//! once.

mod model;
mod ports;
mod visit;

pub use model::AnyModel;
pub use ports::{AnyInput, AnyOutput, AnySource};
