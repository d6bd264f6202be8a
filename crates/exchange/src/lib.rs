//! Networks taken away and brought in: ONNX, and PyTorch's state dicts.
//!
//! Out: [`OnnxExporter`] writes what a model's own forward pass computes, for any number of
//! samples; [`to_state_dict`], [`resnet_to_torchvision`] and [`Sequential`] give PyTorch its
//! weights under its own names. In: [`StateDict::read`] takes a `.pt`, `.pth` or safetensors file;
//! widths are read from it before the model is built ([`resnet_from_torchvision`],
//! [`PlainNetwork`]), so that a network of any width comes in, and grows on.
//!
//! ```
//! use burgeon_exchange::{OnnxExporter, resnet_from_torchvision, resnet_to_torchvision};
//! use burgeon_zoo::{Activation, ResNet, Stem};
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! let model = ResNet::resnet_18(2, Stem::SmallImages, [1, 10], Activation::Relu, &device)?;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("resnet.safetensors");
//! resnet_to_torchvision(&model)?.save(&path)?;
//!
//! let state = burgeon_exchange::StateDict::read(&path)?;
//! let model = resnet_from_torchvision(&state, &device)?;
//! let onnx = OnnxExporter::new().export(&model, &Tensor::zeros([1, 1, 8, 8], &device))?;
//! onnx.save(&folder.path().join("resnet.onnx"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod int8;
mod onnx;
mod pytorch;

pub use error::ExchangeError;
pub use int8::Int8Weight;
pub use onnx::{OnnxExporter, OnnxModel};
pub use pytorch::layouts::{from_state_dict, to_state_dict};
pub use pytorch::sequential::{PlainNetwork, Sequential, SequentialLayer};
pub use pytorch::state_dict::StateDict;
pub use pytorch::torchvision::{resnet_from_torchvision, resnet_to_torchvision};

/// What the metadata of a safetensors file say, under `format`, whose weights lie as Burn has
/// them.
pub const OWN_FORMAT: &str = "burgeon";
