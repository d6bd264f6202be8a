//! Ordinary models of many structures, trained and grown by the grower.

#[path = "../../../nn/tests/zoo/mod.rs"]
mod zoo;

mod every;
mod exact;
mod frozen;
mod ids;
mod limits;
mod named;
mod rebuilt;
mod run;
mod targets;
