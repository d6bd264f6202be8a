//! Several processes that do one work together.
//!
//! A [`World`] carries messages between ranks; [`Alone`] is one rank. A [`Team`] is a world and a
//! number of logical shards, into which sets of samples are cut whatever the number of ranks is:
//! what is found of each shard is summed in an order that the shards alone fix, so that sums are
//! the same bits on one rank and on many.

mod sum;
mod team;

use std::fmt::Debug;

pub use sum::ShardSum;
pub use team::Team;

/// What can go wrong between ranks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// A message did not arrive.
    #[error("the ranks have lost each other: {0}")]
    Lost(String),
    /// A message is not of the size that it should be.
    #[error(
        "rank {rank} sends {found} bytes, not {expected}: all ranks must run the same program with \
         the same settings and samples"
    )]
    Size {
        /// Who sent it.
        rank: usize,
        /// The size that fits.
        expected: usize,
        /// The size that came.
        found: usize,
    },
    /// Too few logical shards.
    #[error("{shards} logical shards for {ranks} ranks: there must be at least one for each")]
    Shards {
        /// The number of shards.
        shards: usize,
        /// The number of ranks.
        ranks: usize,
    },
}

/// Processes, or threads, that do one work together: each is a rank.
///
/// Both calls are collective: every rank makes them, all in one order, and each waits for the
/// others. On a machine of one's own the two methods of messages are all there is to write:
///
/// ```
/// use burgeon_core::world::{Alone, World, WorldError};
///
/// /// One rank that counts its messages.
/// #[derive(Debug, Default)]
/// struct Counted(std::sync::atomic::AtomicUsize);
///
/// impl World for Counted {
///     fn rank(&self) -> usize {
///         0
///     }
///
///     fn size(&self) -> usize {
///         1
///     }
///
///     fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         Alone.exchange(parts)
///     }
/// }
///
/// let world = Counted::default();
/// assert_eq!(world.all_gather(vec![7]), Ok(vec![vec![7]]));
/// assert_eq!(world.0.into_inner(), 1);
/// ```
pub trait World: Debug + Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks, at least 1.
    fn size(&self) -> usize;

    /// Hands part number `r` to rank `r`, and gives what each rank has for this one, in their
    /// order. There is a part for each rank; they may be of any sizes.
    ///
    /// # Errors
    /// [`WorldError::Lost`] if a rank is gone.
    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError>;

    /// What each rank has, in their order, this one's `own` included.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    fn all_gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        self.exchange(vec![own; self.size()])
    }
}

/// One rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl World for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        Ok(parts)
    }
}
