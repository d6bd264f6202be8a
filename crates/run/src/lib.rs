//! Predictions of a network that was exported, without what trains it: no Burn, no gradients.
//!
//! `burgeon export --format safetensors` writes weights, and in the file's metadata what its
//! inputs, layers and answers are. This crate reads such a file ([`Exported`]), computes the layers
//! one after the other ([`Network`]) and says what the answers mean ([`Schema`]). The command
//! `burgeon-run` is this on a command line.
//!
//! ```
//! use burgeon_run::{Function, Network, Step, Weights};
//!
//! // y = relu(2x + 1), summed with x.
//! let steps = vec![
//!     Step::Linear { layer: "a".into(), inputs: 1, outputs: 1 },
//!     Step::Activation { function: Function::Relu },
//!     Step::Linear { layer: "b".into(), inputs: 1, outputs: 1 },
//!     Step::Add { step: 1 },
//! ];
//! let mut weights = Weights::default();
//! weights.insert("a.weight", vec![1, 1], vec![2.0]);
//! weights.insert("a.bias", vec![1], vec![1.0]);
//! weights.insert("b.weight", vec![1, 1], vec![10.0]);
//! weights.insert("b.bias", vec![1], vec![0.0]);
//! let network = Network::new(steps, &[1], &weights)?;
//! assert_eq!(network.answers(&[3.0, -1.0]), [77.0, 0.0]);
//! # Ok::<(), burgeon_run::RunError>(())
//! ```

pub mod command_line;
mod error;
mod exported;
mod kernels;
mod network;
mod prediction;
mod schema;
mod step;
mod weights;

pub use error::RunError;
pub use exported::{Exported, Format, Precision, Runner};
pub use network::Network;
pub use prediction::{Prediction, predictions};
pub use schema::{ColumnEncoding, Goal, InputSchema, Schema, TargetSchema, Targets, rows};
pub use step::{Function, Step};
pub use weights::Weights;
