//! The products of splitting on the CPU, for Burn's CPU backends.
//!
//! Both work on the tensors where they lie, block of rows by block of rows: no patch
//! matrix of a whole batch is built, and all blocks run in parallel. Within a block sums are
//! in the type that is asked for, across blocks in f64; the blocks and their order do not
//! depend on the number of threads, so results are the same bits with any number.

mod fan_in;
mod grams;
// Upstream deprecates the ndarray backend, one of the two that are served here.
#[expect(
    deprecated,
    reason = "the ndarray backend's tensors are read where they lie"
)]
mod host;
mod products;
mod real;
mod site;

pub use grams::splitting_matrices;
pub use products::splitting_products;
