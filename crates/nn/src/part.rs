//! What one rank has of a set of samples.

use std::ops::Range;

use burgeon_core::Team;
use burgeon_core::world::ShardSum;

use crate::error::NnError;
use crate::ports::Input;
use crate::samples::Samples;

/// Where a set of samples is cut, and which pieces are this rank's.
pub(crate) struct Cut {
    /// Of all ranks.
    pub pieces: usize,
    /// The number of the first of this rank's.
    pub first: usize,
    /// The rows of this rank's.
    pub own: Vec<Range<usize>>,
}

impl Cut {
    /// So many samples, in batches of `batch_size` where there is no team.
    pub fn of(samples: usize, batch_size: usize, team: Option<&Team>) -> Self {
        let size = batch_size.max(1);
        let Some(team) = team else {
            let starts = (0..samples).step_by(size);
            let own: Vec<_> = starts.map(|at| at..(at + size).min(samples)).collect();
            return Self {
                pieces: own.len(),
                first: 0,
                own,
            };
        };
        let all = team.pieces(samples, size);
        let own = team.own(all.len());
        Self {
            pieces: all.len(),
            first: own.start,
            own: all[own].to_vec(),
        }
    }
}

/// One rank's samples of a set, in batches; all of them where there is no team.
pub(crate) struct Part<I> {
    /// This rank's.
    pub batches: Vec<Samples<I>>,
    /// Samples of all ranks.
    pub count: usize,
    /// Batches of all ranks.
    pub pieces: usize,
    /// The number of this rank's first batch.
    pub first: usize,
    pub team: Option<Team>,
}

impl<I: Input> Part<I> {
    /// This rank's part of `samples`.
    pub fn of(samples: &Samples<I>, batch_size: usize, team: Option<&Team>) -> Self {
        let cut = Cut::of(samples.len(), batch_size, team);
        let own = cut.own.into_iter();
        Self {
            batches: own.map(|rows| samples.slice(rows)).collect(),
            count: samples.len(),
            pieces: cut.pieces,
            first: cut.first,
            team: team.cloned(),
        }
    }

    /// One batch of a part without a team.
    pub fn batch(&self, number: usize) -> Self {
        let batches: Vec<_> = self.batches.get(number).cloned().into_iter().collect();
        Self {
            count: batches.iter().map(Samples::len).sum(),
            pieces: batches.len(),
            first: 0,
            batches,
            team: None,
        }
    }

    /// Sums over the pieces; `None` where one after the other is added up here.
    pub fn sums(&self) -> Option<ShardSum<'_>> {
        self.team.as_ref().map(|team| team.sum(self.pieces))
    }

    /// `own`, a number of this rank's pieces, added up over all ranks: exact for whole numbers.
    ///
    /// # Errors
    /// [`NnError::Core`] if a rank is gone.
    pub fn total(&self, own: u64) -> Result<u64, NnError> {
        let Some(team) = &self.team else {
            return Ok(own);
        };
        if self.batches.len() == self.pieces {
            return Ok(own);
        }
        let found = team.all(own.to_le_bytes().to_vec());
        let found = found.map_err(burgeon_core::CoreError::from)?;
        let read = |bytes: &Vec<u8>| bytes[..].try_into().map_or(0, u64::from_le_bytes);
        Ok(found.iter().map(read).fold(0, u64::saturating_add))
    }
}

/// What is finished of a sum over ranks.
///
/// # Errors
/// [`NnError::Core`] if a rank is gone, or sums something else.
pub(crate) fn finished(sum: ShardSum<'_>) -> Result<Vec<f64>, NnError> {
    Ok(sum.finish().map_err(burgeon_core::CoreError::from)?)
}

/// A sum over batches: one after the other here, or over the pieces of all ranks.
pub(crate) enum Total<'a> {
    Here(Vec<f64>),
    Shards(ShardSum<'a>),
}

impl<'a> Total<'a> {
    /// Over so many pieces.
    pub fn over(pieces: usize, team: Option<&'a Team>) -> Self {
        match team {
            None => Self::Here(Vec::new()),
            Some(team) => Self::Shards(team.sum(pieces)),
        }
    }

    /// Adds what the next batch has; all have as many numbers.
    pub fn add(&mut self, values: Vec<f64>) {
        match self {
            Self::Here(sums) => {
                sums.resize(values.len(), 0.0);
                sums.iter_mut()
                    .zip(values)
                    .for_each(|(sum, own)| *sum += own);
            }
            Self::Shards(sum) => sum.push(values),
        }
    }

    /// # Errors
    /// As [`finished`].
    pub fn finish(self) -> Result<Vec<f64>, NnError> {
        match self {
            Self::Here(sums) => Ok(sums),
            Self::Shards(sum) => finished(sum),
        }
    }
}
