//! Published networks as ordinary Burn models, at any width and resolution: seeds to grow, and
//! baselines to compare with.
//!
//! No line of a model is there because of growing: each is layers and a forward pass, whose
//! widths are those of its weights. Convolutions, norms and pooling are `burgeon-ops`' fast
//! layers, which are Burn's own under the same names. At full width each has the number of
//! parameters that its reference implementation has (`tests/published.rs`).
//!
//! ```
//! use burgeon_zoo::{Activation, MobileNetV1, Stem};
//! use burgeon_nn::Growable;
//! use burn::module::Module;
//! use burn::tensor::{Device, Tensor};
//!
//! # fn main() -> Result<(), burgeon_zoo::ZooError> {
//! let device = Device::flex();
//! // A seed for small images: 8 channels in every layer.
//! let seed = MobileNetV1::new(&[8; 14], Stem::SmallImages, [3, 10], Activation::Silu, &device)?;
//! let answers = seed.predict(Tensor::zeros([2, 3, 32, 32], &device));
//! assert_eq!(answers.dims(), [2, 10]);
//! assert!(seed.num_params() < 5_000);
//! # Ok(())
//! # }
//! ```

mod activation;
mod ds_cnn;
mod error;
mod layers;
mod mobilenet_v1;
mod mobilenet_v2;
mod resnet;
mod vgg;

pub use activation::Activation;
pub use ds_cnn::DsCnn;
pub use error::ZooError;
pub use layers::{ConvNorm, DepthwiseNorm, Stem};
pub use mobilenet_v1::{MobileNetV1, SeparableBlock};
pub use mobilenet_v2::{InvertedResidual, MobileNetV2, Stage};
pub use resnet::{ResNet, ResidualBlock};
pub use vgg::{Vgg, VggHead};
