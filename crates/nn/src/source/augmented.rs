//! Samples that training sees changed.

use std::fmt::{self, Debug};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Batches, Source};
use crate::{Input, NnError, Samples, Targets};

/// The random stream of a seed that augmentation draws from; the order has the first.
const STREAM: u64 = 1;

/// A source whose batches are augmented: what [`Source::with_augmentation`] makes.
pub struct Augmented<S, F> {
    source: S,
    augment: F,
}

impl<S, F> Augmented<S, F> {
    pub(super) fn new(source: S, augment: F) -> Self {
        Self { source, augment }
    }
}

impl<S: Debug, F> Debug for Augmented<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Augmented");
        shown.field("source", &self.source).finish_non_exhaustive()
    }
}

impl<I, S, F> Source<I> for Augmented<S, F>
where
    I: Input,
    S: Source<I>,
    F: Fn(Samples<I>, u64) -> Result<Samples<I>, NnError> + Send + Sync,
{
    fn len(&self) -> usize {
        self.source.len()
    }

    fn subset(&self, indices: &[usize]) -> Result<Samples<I>, NnError> {
        self.source.subset(indices)
    }

    fn batches(&self, size: usize, seed: u64) -> Batches<'_, I> {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        seeds.set_stream(STREAM);
        Box::new(self.source.batches(size, seed).map(move |batch| {
            // Drawn for a batch that fails too, so that others keep theirs.
            let seed = seeds.next_u64();
            let batch = batch?;
            let count = batch.len();
            let augmented = (self.augment)(batch, seed)?;
            if augmented.len() == count {
                return Ok(augmented);
            }
            Err(NnError::Data(format!(
                "the augmentation made {} of {count} samples: it must keep their number",
                augmented.len()
            )))
        }))
    }

    fn sample(&self, count: usize, seed: u64) -> Result<Samples<I>, NnError> {
        self.source.sample(count, seed)
    }

    fn targets(&self) -> Option<&Targets> {
        self.source.targets()
    }
}
