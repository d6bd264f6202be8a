//! What training draws its samples from.

mod augmented;
#[cfg(feature = "dataset")]
mod dataset;
#[cfg(test)]
mod tests;

pub use augmented::Augmented;
#[cfg(feature = "dataset")]
pub use dataset::DatasetSource;

use crate::samples::order;
use crate::{Input, NnError, Samples, Targets};

/// The batches of an epoch, or what went wrong with one of them.
pub type Batches<'a, I> = Box<dyn Iterator<Item = Result<Samples<I>, NnError>> + 'a>;

/// What training draws its samples from: [`Samples`] in memory, or whatever reads them when they
/// are needed.
///
/// What is drawn depends on the seed alone, never on what was drawn before, so that a run that is
/// resumed sees what it would have seen. Samples are on a plain device, all on one.
///
/// A set that streams needs no more than its size and how some of its samples are read:
///
/// ```
/// use burgeon_backend_flex::FLEX;
/// use burgeon_core::SplitBackend;
/// use burgeon_nn::{NnError, Samples, Source};
/// use burn::tensor::{Tensor, TensorData};
///
/// /// Numbers with their parities.
/// struct Parities(usize);
///
/// impl Source<Tensor<2>> for Parities {
///     fn len(&self) -> usize {
///         self.0
///     }
///
///     fn subset(&self, indices: &[usize]) -> Result<Samples<Tensor<2>>, NnError> {
///         let numbers: Vec<f32> = indices.iter().map(|&index| index as f32).collect();
///         let labels: Vec<usize> = indices.iter().map(|index| index % 2).collect();
///         let numbers = TensorData::new(numbers, [indices.len(), 1]);
///         let numbers = Tensor::from_data(numbers, &FLEX.device());
///         Samples::classification(numbers, &labels, 2, &FLEX.device())
///     }
/// }
///
/// # fn main() -> Result<(), NnError> {
/// let mut drawn = 0;
/// for batch in Parities(1000).batches(128, 7) {
///     drawn += batch?.len();
/// }
/// assert_eq!(drawn, 1000);
/// # Ok(())
/// # }
/// ```
#[expect(
    clippy::len_without_is_empty,
    reason = "a source of samples is never empty"
)]
pub trait Source<I: Input>: Send + Sync {
    /// Number of samples, at least 1.
    fn len(&self) -> usize;

    /// The samples at `indices`, in that order, as they are: not augmented.
    ///
    /// # Errors
    /// [`NnError::Data`] if there is none, one is out of range, or they cannot be read.
    fn subset(&self, indices: &[usize]) -> Result<Samples<I>, NnError>;

    /// The batches of one epoch of training: all samples in the order that `seed` draws, at most
    /// `size` at a time, but for a last one that would be alone
    /// ([`shuffled_batches`](order::shuffled_batches)).
    fn batches(&self, size: usize, seed: u64) -> Batches<'_, I> {
        let batches = order::shuffled_batches(self.len(), size, seed);
        Box::new(batches.map(move |indices| self.subset(&indices)))
    }

    /// `count` samples drawn without replacement by `seed`, or all of them, in their order, if
    /// there are no more: what sites are captured on.
    ///
    /// # Errors
    /// As [`subset`](Self::subset).
    fn sample(&self, count: usize, seed: u64) -> Result<Samples<I>, NnError> {
        if count >= self.len() {
            return self.subset(&(0..self.len()).collect::<Vec<_>>());
        }
        self.subset(&order::shuffled(self.len(), seed)[..count.max(1)])
    }

    /// The targets of all samples, where they are known before these are read. Where they are not,
    /// those of each batch have to be checked when it is drawn.
    fn targets(&self) -> Option<&Targets> {
        None
    }

    /// The same samples, with the batches of training changed by `augment`: flipped, shifted,
    /// mixed. It is handed a batch and a seed, which is the batch's own, and has to draw from that
    /// seed alone. What is captured or evaluated stays as it is.
    fn with_augmentation<F>(self, augment: F) -> Augmented<Self, F>
    where
        Self: Sized,
        F: Fn(Samples<I>, u64) -> Result<Samples<I>, NnError> + Send + Sync,
    {
        Augmented::new(self, augment)
    }
}

impl<I: Input> Source<I> for Samples<I> {
    fn len(&self) -> usize {
        Samples::len(self)
    }

    fn subset(&self, indices: &[usize]) -> Result<Samples<I>, NnError> {
        Samples::subset(self, indices)
    }

    fn sample(&self, count: usize, seed: u64) -> Result<Samples<I>, NnError> {
        Ok(Samples::sample(self, count, seed))
    }

    fn targets(&self) -> Option<&Targets> {
        Some(Samples::targets(self))
    }
}
