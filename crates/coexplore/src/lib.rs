//! Hardware/software co-exploration: architectures and the accelerators they run on, searched
//! together, after W. Jiang et al., "Hardware/Software Co-Exploration of Neural Architectures"
//! (arXiv 1907.04650).
//!
//! A [`Problem`] has decisions, stage by stage of a pipeline, and a hardware model that tells in
//! microseconds how well a child uses its hardware. A [`Judge`] tells a child's accuracy, which
//! takes a training or a table. A [`Policy`] proposes children and learns of their rewards; a
//! [`Search`] is the loop of both levels: on the *fast* one hardware alone teaches the policy and
//! prunes what cannot meet the specification, on the *slow* one children are judged. A search is
//! all state there is: written down and read again, it goes on bit for bit.
//!
//! The controller ([`Controller`]) is an LSTM of this crate in `f64` with gradients by hand, and
//! not one of a tensor library: a child is a dozen numbers, so that a library's calls would be all
//! the cost; and its gradient is tested against finite differences of the expected reward itself,
//! to nine digits.
//!
//! ```
//! use burgeon_coexplore::nasbench201::{CellSpace, Device, JointTable};
//! use burgeon_coexplore::{RandomPolicy, Reward, Search, SearchConfig};
//!
//! # fn main() -> Result<(), burgeon_coexplore::CoexploreError> {
//! let table = JointTable::embedded()?;
//! // Cells of at most 5 ms on the FPGA model of HW-NAS-Bench.
//! let space = CellSpace::new(Device::Fpga, 5.0)?;
//! let config = SearchConfig::new(Reward::co_exploration(0.5)?, 30, 1000)?;
//! let mut search = Search::new(RandomPolicy::new(&space), config, 7);
//! while search.step(&space, &mut &table)?.is_some() {}
//! assert_eq!(search.trained(), 30);
//! assert!(search.most_accurate().is_some_and(|child| child.accuracy > Some(0.7)));
//! # Ok(())
//! # }
//! ```
//!
//! What is known of the published method and what is not is told where it is used. No result
//! table of the paper could be had, so none is compared with.

pub mod chain;
mod error;
mod front;
pub mod nasbench201;
mod policy;
mod problem;
mod reward;
mod search;

pub use error::CoexploreError;
pub use front::{Front, FrontPoint};
pub use policy::{Controller, ControllerConfig, Evolution, Policy, RandomPolicy};
pub use problem::{Judge, Measured, Problem};
pub use reward::{Reward, RewardState};
pub use search::{Child, Search, SearchConfig};
