//! Layers in place of Burn's own of the same name, faster on the CPU: same parameters, same
//! parameter names, same answers. On other devices they are Burn's operations, and a capture
//! device records what it records of Burn's layers.
//!
//! They multiply in the type of their weight and answer in the type of their input, so that a
//! model may keep its activations in another type than its weights.

mod batch_norm;
mod conv2d;
mod depthwise;
mod max_pool2d;

pub use batch_norm::{FastBatchNorm, FastBatchNormConfig};
pub use conv2d::{FastConv2d, FastConv2dConfig};
pub use depthwise::{DepthwiseConv2d, DepthwiseConv2dConfig};
pub use max_pool2d::{FastMaxPool2d, FastMaxPool2dConfig};
