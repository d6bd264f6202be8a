//! `cargo xtask` as a user meets it.

mod cluster;
mod command_line;
mod common;
mod docs;
mod faults;
#[path = "../../../crates/train/tests/grower/injected.rs"]
mod injected;
#[path = "../../../crates/exchange/tests/networks/python.rs"]
mod python;
mod results_folder;
