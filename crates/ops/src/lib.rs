//! Burn operations that the CPU backends do badly, with their gradients, and layers that use them.
//!
//! Convolution, batch normalisation in training, max pooling, activations and the cross entropy
//! work on the tensors of Burn's CPU backends where they lie, block by block in parallel: no patch
//! matrix of a whole batch is built. Within a block sums are in the type that is asked for; the
//! blocks and their order do not depend on the number of threads, so results are the same bits
//! with any number. Inner loops use the widest vectors that the processor has (AVX2, AVX-512,
//! NEON), found at run time. On every other device they are Burn's own operations.
//!
//! [`FastConv2d`], [`DepthwiseConv2d`], [`FastBatchNorm`] and [`FastMaxPool2d`] stand in place of
//! Burn's layers; [`precision`] is training in mixed precision. The other public modules are what
//! the operations are made of, for crates that add operations of their own.

#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod activate;
mod activate_copies;
mod activation;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod batch_norm;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod conv2d;
pub mod convolution;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod cross_entropy;
pub mod elementwise;
#[expect(
    deprecated,
    reason = "the ndarray backend's tensors are read where they lie"
)]
pub mod host;
pub mod lanes;
mod layers;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod max_pool2d;
mod part_sums;
pub mod precision;
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
mod probe;
pub mod real;
pub mod transpose;
mod window;

pub use activate::activate;
pub use activate_copies::{
    CopyOfEach, NeuronCopies, activate_copies, activate_first, differing_channels,
};
pub use activation::{Activation, UnknownActivation};
pub use batch_norm::{Normalised, batch_norm_train};
pub use conv2d::{add_conv2d, conv2d};
pub use cross_entropy::cross_entropy;
pub use host::share_memory;
pub use layers::{
    DepthwiseConv2d, DepthwiseConv2dConfig, FastBatchNorm, FastBatchNormConfig, FastConv2d,
    FastConv2dConfig, FastMaxPool2d, FastMaxPool2dConfig,
};
pub use max_pool2d::{max_pool2d, max_pool2d_padded};
pub use part_sums::{PartSums, in_parts};
pub use probe::probed;
pub use window::{Window, WindowError};
