//! Worlds for training and growing one network on several ranks.
//!
//! A [`World`](burgeon_core::World) carries messages between ranks. [`threads`] has one whose ranks
//! are threads of this process, for tests and for looking at what ranks do; `mpi` has one whose
//! ranks are processes on one machine or many, behind the feature `mpi`. What is to be done on each
//! rank is handed to either as a function; see `Grower::with_team` in `burgeon-train`.

#[cfg(feature = "mpi")]
pub mod mpi;
pub mod threads;
