//! `cargo xtask` as a user meets it.

mod cluster;
mod command_line;
mod common;
mod docs;
#[path = "../../../crates/exchange/tests/networks/python.rs"]
mod python;
mod results_folder;
