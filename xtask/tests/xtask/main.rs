//! `cargo xtask` as a user meets it.

mod cluster;
mod command_line;
mod common;
mod docs;
mod results_folder;
