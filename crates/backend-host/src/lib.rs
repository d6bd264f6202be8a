//! The splitting products on the CPU, for each of Burn's CPU backends.
//!
//! They work on the tensors where they lie, block by block in parallel: no patch matrix of a
//! whole batch is built. Within a block sums are in the type that is asked for, across blocks in
//! f64; the blocks and their order do not depend on the number of threads, so results are the
//! same bits with any number.

mod backend;
mod curvature_weights;
mod fan_in;
mod grams;
mod maps;
mod products;
mod projections;
mod row_sample;
mod site;

pub use backend::HostBackend;
