//! Costs, blocks, gradients, landscapes, operators and ranks against plain formulas.

mod blocks;
#[path = "../common/candidates.rs"]
mod candidates;
#[path = "../common/mod.rs"]
mod common;
mod costs;
mod gradients;
mod landscapes;
mod matrices;
mod methods;
mod places;
mod ranks;
mod samples;
