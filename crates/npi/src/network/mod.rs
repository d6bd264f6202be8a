//! The network as a controller: its core, training, proof, and weights files.

mod codec;
mod controller;
mod core;
mod layers;
mod loss;
mod proof;
mod traces;
mod training;
mod weights;

pub use self::codec::Codec;
pub use self::controller::NetworkController;
pub use self::core::{Core, CoreConfig, CoreState};
pub use self::layers::LstmCell;
pub use self::loss::DecisionLoss;
pub use self::proof::prove;
pub use self::traces::{Traces, samples};
pub use self::training::{Settings, Step, Training};
pub use self::weights::{load, save};
