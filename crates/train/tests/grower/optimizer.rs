//! Optimizer state across surgery.

mod carried;
mod kept;
mod network;
mod refused;
mod users;
