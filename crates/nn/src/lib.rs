//! Any Burn model grows, as it is: trace, surgery and the grower.
//!
//! A model says by [`Growable`] what it reads and answers, and nothing else. Its own forward pass
//! is traced ([`trace()`]): what it computes, which channels belong together, and where it may
//! grow, which the trace's graph prints. The recorded operations are replayed with instruments,
//! which find the curvature of each site and the losses of grown networks. One growth step is
//! [`capture`](capture::capture) → criterion → selector (both of `burgeon-core`) →
//! [`line_search`](grower::line_search) →
//! [`apply_plan`](surgery::apply_plan) → [`carry_optimizer`](surgery::carry_optimizer);
//! the [`Grower`] is only that, in a loop with training, observers and checkpoints.
//!
//! One growth step of an untrained network on the digits that `burgeon-data` embeds:
//!
//! ```
//! use burgeon_backend_flex::FLEX;
//! use burgeon_core::criterion::{Criterion, SteepestDescent};
//! use burgeon_core::select::{Fraction, Selector};
//! use burgeon_core::{Budget, Plan, SplitBackend};
//! use burgeon_nn::grower::line_search;
//! use burgeon_nn::surgery::apply_plan;
//! use burgeon_nn::{CrossEntropy, Growable, Samples, SpectrumConfig, capture_spectra, trace};
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::activation::silu;
//! use burn::tensor::{Tensor, TensorData};
//! use rand_chacha::ChaCha8Rng;
//! use rand_chacha::rand_core::SeedableRng;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! impl Mlp {
//!     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
//!         self.output.forward(silu(self.hidden.forward(input)))
//!     }
//! }
//!
//! impl Growable for Mlp {
//!     type Input = Tensor<2>;
//!     type Output = Tensor<2>;
//!
//!     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
//!         self.forward(input)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = FLEX.device();
//! device.seed(7);
//! let digits = burgeon_data::optdigits::load()?.train;
//! let pixels = TensorData::new(digits.pixels.clone(), [digits.len(), 64]);
//! let pixels = Tensor::from_data(pixels, &device);
//! let samples = Samples::classification(pixels, &digits.labels, 10, &device)?;
//! let trainable = device.autodiff();
//! let net = Mlp {
//!     hidden: LinearConfig::new(64, 4).init(&trainable),
//!     output: LinearConfig::new(4, 10).init(&trainable),
//! };
//!
//! let traced = trace(&net, &samples)?;
//! assert_eq!(traced.graph().widths(), [("hidden".to_owned(), 4)]);
//! let spectra = SpectrumConfig::default();
//! let capture = capture_spectra(&net, &CrossEntropy, &samples, 512, &spectra, &FLEX)?;
//! let mut rng = ChaCha8Rng::seed_from_u64(7);
//! let candidates = SteepestDescent.candidates(&capture, &FLEX, &mut rng)?;
//! let budget = Budget { neurons: capture.neurons(), room: None };
//! let plan = Plan::new("s2d", Fraction::new(0.5)?.select(candidates, budget)?);
//! let grid = [1.0, 0.5, 0.25];
//! let search = line_search(&net, &plan, &grid, &CrossEntropy, &samples, 512)?;
//! let (epsilon, loss) = search.best.ok_or("no step has a finite loss")?;
//! let (grown, _) = apply_plan(&net, traced.graph(), &plan, epsilon)?;
//! assert!(loss < search.baseline);
//! assert_eq!(grown.hidden.weight.dims(), [64, 6]);
//! # Ok(())
//! # }
//! ```

pub mod capture;
mod checkpoint;
mod checkpointing;
mod copies;
pub mod cost;
mod edits;
pub mod error;
mod fit;
pub mod growable;
pub mod grower;
pub mod objective;
pub mod observer;
mod passes;
pub mod ports;
mod records;
mod replay;
pub mod samples;
mod search;
mod sites;
mod spectra;
mod stored;
pub mod surgery;
mod trace;
pub mod weights;
#[cfg(test)]
#[path = "../tests/zoo/mod.rs"]
mod zoo;

pub use checkpoint::{
    Difference, Identity, optimizer_fingerprint, remove_checkpoint, samples_hash,
};
pub use error::NnError;
pub use growable::{Evaluation, Growable};
pub use grower::{Grower, GrowerConfig, LearningRate, StepSize, Task, Trigger};
pub use objective::{CrossEntropy, MeanSquaredError, Objective, WeightedCrossEntropy};
pub use passes::ForwardPasses;
pub use ports::{Input, Output};
pub use replay::Network;
pub use samples::{Samples, Targets};
pub use spectra::{SpectrumConfig, capture_spectra, capture_with_passes};
pub use trace::{Trace, trace};
