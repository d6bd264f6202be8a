//! Convolution, batch normalisation, pooling, activations, the cross entropy and the products of
//! splitting on the CPU, for Burn's CPU backends.
//!
//! They work on the tensors where they lie, block by block in parallel: no patch matrix of a
//! whole batch is built. Within a block sums are in the type that is asked for; the blocks
//! and their order do not depend on the number of threads, so results are the same bits with
//! any number. Inner loops use the widest vectors that the processor has (AVX2, AVX-512, NEON),
//! found at run time.

#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod activate;
mod activate_copies;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod batch_norm;
// Upstream deprecates the ndarray backend, one of the two that are served here.
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod conv2d;
mod convolution;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod cross_entropy;
mod curvature_weights;
mod fan_in;
mod grams;
#[expect(
    deprecated,
    reason = "the ndarray backend's tensors are read where they lie"
)]
mod host;
mod lanes;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod max_pool2d;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod probe;
mod products;
mod projections;
mod real;
mod row_sample;
mod site;
mod transpose;

pub use activate::activate;
pub use activate_copies::{
    CopyOfEach, NeuronCopies, activate_copies, activate_first, differing_channels,
};
pub use batch_norm::{Normalised, batch_norm_train};
pub use conv2d::{add_conv2d, conv2d};
pub use cross_entropy::cross_entropy;
pub use curvature_weights::{curvature_weights, curvature_weights_of_maps};
pub use grams::splitting_matrices;
pub use host::share_memory;
pub use max_pool2d::max_pool2d;
pub use probe::probed;
pub use products::splitting_products;
pub use row_sample::{row_sizes, sampled};
