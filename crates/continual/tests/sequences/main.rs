//! Learning sequences of tasks, through the public interface.

mod common;
mod consolidation;
mod errors;
mod frozen;
mod runs;
