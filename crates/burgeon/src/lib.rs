//! Grow neural networks instead of guessing their size.
//!
//! A network starts small. Whenever training stalls, those neurons are split whose split lowers the
//! loss fastest, until the accuracy or the budget is met. The model is an ordinary [`burn`] model:
//! its own `forward` is traced, and that says which channels grow together.
//!
//! An MLP that grows on handwritten digits (they are embedded, so this runs as it stands):
//!
//! ```
//! use burgeon::backend::flex::FLEX;
//! use burgeon::data::{Images, optdigits};
//! use burgeon::prelude::*;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::optim::AdamConfig;
//! use burn::prelude::*;
//! use burn::tensor::activation::relu;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! impl Growable for Mlp {
//!     type Input = Tensor<2>;
//!     type Output = Tensor<2>;
//!
//!     fn predict(&self, pixels: Tensor<2>) -> Tensor<2> {
//!         self.output.forward(relu(self.hidden.forward(pixels)))
//!     }
//! }
//!
//! fn samples(images: &Images, device: &Device) -> Result<Samples<Tensor<2>>, NnError> {
//!     let pixels = TensorData::new(images.pixels.clone(), [images.len(), 64]);
//!     Samples::classification(Tensor::from_data(pixels, device), &images.labels, 10, device)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = FLEX.device();
//! device.seed(7);
//! let digits = optdigits::load()?;
//! let (train, held) = samples(&digits.train, &device)?.split_off(0.1, 7)?;
//! let task = Task::new(CrossEntropy, train, held);
//!
//! // Two hidden neurons at first; 40 % of them split every third epoch.
//! let trainable = device.clone().autodiff();
//! let model = Mlp {
//!     hidden: LinearConfig::new(64, 2).init(&trainable),
//!     output: LinearConfig::new(2, 10).init(&trainable),
//! };
//! let config = GrowerConfig::new(SteepestDescent, Fraction::new(0.4)?)
//!     .with_trigger(Trigger::Every { epochs: 3 })
//!     .with_parameter_budget(1000)
//!     .with_max_epochs(24);
//! let mut grower = Grower::new(config, FLEX, task, model, AdamConfig::new().init())?;
//! grower.run()?;
//!
//! let grown = grower.model();
//! let neurons = grown.hidden.weight.dims()[1];
//! let test = evaluate(grown, &CrossEntropy, &samples(&digits.test, &device)?, 512)?;
//! println!("{neurons} hidden neurons, {:.3} of the test set", test.accuracy.unwrap_or(0.0));
//! assert!(neurons > 6 && test.accuracy > Some(0.85));
//! # Ok(())
//! # }
//! ```
//!
//! [`prelude`] goes with Burn's own preludes in one file. What is behind it, by module:
//!
//! | module | holds |
//! |---|---|
//! | [`core`] | growths, criteria, selectors, cost models, spectra; no models |
//! | [`graph`] | what a traced model computes, and which channels are widened together |
//! | [`nn`] | any model as something that grows: its trace, replay, line search, surgery, weights |
//! | [`train`] | the trainer, the growth step, the grower with observers and checkpoints |
//! | [`ops`] | operations that Burn's CPU backends do badly, and layers that use them |
//! | [`backend`] | the devices: CPU through flex or ndarray, GPUs behind features |
#![cfg_attr(
    feature = "data",
    doc = "| [`data`] | real data sets, checked by hash |"
)]
//!
//! Features: `data` (default) has the data sets; `cuda`, `wgpu` and `cpu` add CubeCL's devices;
//! `testing` has the suite for backends of one's own.

pub mod backend;
pub mod prelude;

pub use burgeon_core as core;
#[cfg(feature = "data")]
pub use burgeon_data as data;
pub use burgeon_graph as graph;
pub use burgeon_nn as nn;
pub use burgeon_ops as ops;
pub use burgeon_train as train;
/// The Burn that all this is built on.
pub use burn;
