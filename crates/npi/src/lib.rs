//! Recursive neural programmer-interpreters: networks that learn programs from traces, and proofs
//! that they have learned them (Reed and de Freitas, arXiv 1511.06279; Cai, Shin and Song, arXiv
//! 1704.06611).
//!
//! An [`environment`] holds a problem, a [`controller`] decides step by step which program to call,
//! and one [`interpreter`] runs both: with an [`oracle`] it makes the traces a network is trained
//! on, with a network it solves problems, and a proof compares the two on every call that any
//! problem can lead to ([`verification`]).
//!
//! ```
//! use burgeon_npi::interpreter::run;
//! use burgeon_npi::tasks::{self, Recursion};
//!
//! let task = tasks::named("quicksort")?;
//! let mut problem = task.parse(&["8", "2", "1"].map(String::from))?;
//! let mut oracle = task.oracle(Recursion::Full)?;
//! run(task.instructions(), &mut oracle, problem.as_mut(), 1000, &mut ())?;
//! assert!(problem.is_solved());
//! assert_eq!(problem.text(), "8 2 1 -> 1 2 8");
//!
//! // Whatever the list, the recursive program makes one of 32 calls.
//! assert_eq!(task.closed_set(1)?.len(), 32);
//! # Ok::<(), burgeon_npi::NpiError>(())
//! ```

pub mod calls;
pub mod controller;
pub mod environment;
mod error;
pub mod interpreter;
#[cfg(feature = "network")]
pub mod network;
pub mod oracle;
pub mod prefixes;
pub mod program;
pub mod tasks;
pub mod training_sets;
pub mod verification;

pub use error::NpiError;
