//! Proofs: a finite set of call sequences that covers every problem, and a controller compared with
//! the oracle on all of it.
//!
//! A recursive oracle's calls are of bounded length, and there are finitely many of them whatever
//! the size of the problem. [`Task::closed_set`](crate::tasks::Task::closed_set) gives them all, by
//! abstract interpretation. A controller that decides as the oracle at every step of every sequence
//! in that set runs as the oracle on every problem: at the first step where they differed, what the
//! running call had seen would be the begin of a sequence in the set.

mod abstraction;
mod addition;
mod bubble;
mod quicksort;
mod reached;
mod topological;
mod verdict;

pub use abstraction::{Abstraction, closed_set};
pub(crate) use addition::AdditionAbstraction;
pub(crate) use bubble::BubbleAbstraction;
pub(crate) use quicksort::QuickSortAbstraction;
pub use reached::{add_reached, reached};
pub(crate) use topological::TopologicalAbstraction;
pub use verdict::{CounterExample, Verdict, verify};
