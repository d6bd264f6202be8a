//! Accelerators as data and arithmetic: what a network costs on an FPGA or a systolic array, and
//! which design is best for it. No network is run and nothing is synthesised: every number is a
//! model's.
//!
//! A [`Board`] has multipliers, memories, ports and a clock. An [`Engine`] needs some of these and
//! tells the [`Cycles`] that a layer takes, with what bounds them. A [`DesignSpace`] lists engines,
//! of which [`best`](DesignSpace::best) is found by trying all; a [`Pool`] of boards runs the
//! network as a [`Pipeline`], cut so that its slowest stage is as fast as can be. On top are
//! cost models for selectors: [`EngineCycles`], [`BestDesignCycles`], [`PipelinePeriod`],
//! [`EngineEnergy`].
//!
//! ```
//! use burgeon_hardware::{Board, ConvLayer, DesignSpace};
//!
//! # fn main() -> Result<(), burgeon_hardware::HardwareError> {
//! let board = Board::named("zcu102")?;
//! let layers = [
//!     ConvLayer::new("conv1", [3, 64], [32, 32], 3)?,
//!     ConvLayer::new("conv2", [64, 64], [32, 32], 3)?,
//! ];
//! let best = DesignSpace::standard().best(&board, &layers)?;
//! assert!(best.cycles.utilisation(&layers, &best.accelerator) > 0.5);
//! # Ok(())
//! # }
//! ```
//!
//! Sources: C. Zhang et al., FPGA 2015 (the tiled engine); FNAS (arXiv 1901.11211), Super-LIP and
//! HotNAS (arXiv 2007.09087) for the forms published later; SCALE-Sim (arXiv 1811.02883) for
//! systolic arrays; W. Jiang et al. (arXiv 1907.04650) for pipelines over several FPGAs.

mod accelerator;
mod board;
mod cost;
mod cycles;
mod energy;
pub mod engine;
mod error;
mod layer;
mod network;
mod partition;
mod pipeline;
mod space;

pub use accelerator::Accelerator;
pub use board::{BOARDS, Board, Resources};
pub use cost::{BestDesignCycles, EngineCycles, PipelinePeriod};
pub use cycles::{Bottleneck, Cycles};
pub use energy::EngineEnergy;
pub use engine::Engine;
pub use error::{HardwareError, Shortage};
pub use layer::ConvLayer;
pub use network::NetworkCycles;
pub use partition::{Partition, Stage, optimal_partition};
pub use pipeline::{Pipeline, PipelineStage, Pool};
pub use space::{BestDesign, DesignSpace, InputTiles};
