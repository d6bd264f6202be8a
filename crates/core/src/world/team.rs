//! A world, and the shards that its ranks share.

use std::ops::Range;
use std::sync::Arc;

use super::{ShardSum, World, WorldError};

/// A world and a number of logical shards.
///
/// A set of samples is cut into as many pieces as there are shards, or more where pieces would be
/// larger than a batch, or fewer where there are fewer samples. The pieces do not depend on the
/// ranks, each of which has a run of neighbouring ones, and neither does the order of
/// [sums](Self::sum) over them. Where there are fewer pieces than ranks, every rank has all of them
/// and nothing is sent.
///
/// ```
/// use std::sync::Arc;
///
/// use burgeon_core::world::{Alone, Team};
///
/// # fn main() -> Result<(), burgeon_core::world::WorldError> {
/// let team = Team::new(Arc::new(Alone))?.with_shards(4)?;
/// let pieces = team.pieces(10, 128);
/// assert_eq!(pieces, [0..2, 2..5, 5..7, 7..10]);
/// let mut sum = team.sum(pieces.len());
/// for piece in team.own(pieces.len()) {
///     sum.push(vec![pieces[piece].len() as f64]);
/// }
/// assert_eq!(sum.finish()?, [10.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Team {
    world: Arc<dyn World>,
    shards: usize,
}

impl Team {
    /// Logical shards unless told.
    pub const SHARDS: usize = 64;

    /// The ranks of `world` with 64 logical shards.
    ///
    /// # Errors
    /// [`WorldError::Shards`] if there are more ranks than that; a world with more is made by
    /// [`of`](Self::of).
    pub fn new(world: Arc<dyn World>) -> Result<Self, WorldError> {
        Self::of(world, Self::SHARDS)
    }

    /// The ranks of `world` with so many logical shards.
    ///
    /// # Errors
    /// [`WorldError::Shards`] if there are more ranks than shards.
    pub fn of(world: Arc<dyn World>, shards: usize) -> Result<Self, WorldError> {
        let ranks = world.size();
        match shards < ranks.max(1) {
            true => Err(WorldError::Shards { shards, ranks }),
            false => Ok(Self { world, shards }),
        }
    }

    /// With so many logical shards. They are part of what a result depends on, as the batch size
    /// is; few of them leave ranks idle where their number is no multiple of the ranks', many are
    /// small and take longer.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn with_shards(self, shards: usize) -> Result<Self, WorldError> {
        Self::of(self.world, shards)
    }

    /// The number of logical shards.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// The number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.world.rank()
    }

    /// The number of ranks.
    pub fn ranks(&self) -> usize {
        self.world.size().max(1)
    }

    /// Whether this rank is the one that decides, and writes.
    pub fn decides(&self) -> bool {
        self.rank() == 0
    }

    /// The pieces of so many samples, of at most `most` each: even ones, in order.
    pub fn pieces(&self, samples: usize, most: usize) -> Vec<Range<usize>> {
        let count = self.shards.min(samples).max(samples.div_ceil(most.max(1)));
        let bound = |piece: usize| piece * samples / count;
        (0..count)
            .map(|piece| bound(piece)..bound(piece + 1))
            .collect()
    }

    /// Which of so many pieces are this rank's.
    pub fn own(&self, pieces: usize) -> Range<usize> {
        match self.shares(pieces) {
            true => self.of_rank(self.rank(), pieces),
            false => 0..pieces,
        }
    }

    /// Whether ranks have different pieces, of so many.
    pub fn shares(&self, pieces: usize) -> bool {
        self.ranks() > 1 && pieces >= self.ranks()
    }

    pub(super) fn of_rank(&self, rank: usize, pieces: usize) -> Range<usize> {
        let bound = |rank: usize| rank * pieces / self.ranks();
        bound(rank)..bound(rank + 1)
    }

    pub(super) fn world(&self) -> &dyn World {
        self.world.as_ref()
    }

    /// A sum over so many pieces, of which each rank adds its [own](Self::own).
    pub fn sum(&self, pieces: usize) -> ShardSum<'_> {
        ShardSum::new(self, pieces)
    }

    /// What each rank has, in their order.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn all(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        match self.ranks() {
            1 => Ok(vec![own]),
            _ => self.world.all_gather(own),
        }
    }

    /// What the deciding rank has; what the others give does not matter.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn decided(&self, own: Vec<u8>) -> Result<Vec<u8>, WorldError> {
        if self.ranks() == 1 {
            return Ok(own);
        }
        let parts = match self.decides() {
            true => vec![own; self.ranks()],
            false => vec![Vec::new(); self.ranks()],
        };
        let found = self.world.exchange(parts)?.into_iter().next();
        found.ok_or_else(|| WorldError::Lost("the first rank has sent nothing".into()))
    }
}
