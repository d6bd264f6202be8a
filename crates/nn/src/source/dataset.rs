//! Samples that one of Burn's data sets reads.

use std::error::Error;
use std::fmt;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::Device;

use super::Source;
use crate::{Input, NnError, Samples};

/// How the samples at some indices are read.
type Read<I> = Box<dyn Fn(&[usize]) -> Result<Samples<I>, NnError> + Send + Sync>;

/// Samples that are read from a [`Dataset`] by a [`Batcher`] when they are drawn: no more than one
/// batch is in memory, or as many samples as a capture asks for.
///
/// The order is our own, not that of Burn's loaders, so that runs resume bit for bit.
///
/// ```
/// use burgeon_backend_flex::FLEX;
/// use burgeon_core::SplitBackend;
/// use burgeon_nn::source::DatasetSource;
/// use burgeon_nn::{Samples, Source, Targets};
/// use burn::data::dataloader::batcher::Batcher;
/// use burn::data::dataset::InMemDataset;
/// use burn::tensor::{Device, Int, Tensor};
///
/// /// A number with its sign.
/// type Item = (f32, i64);
///
/// struct Signs;
///
/// struct Batch {
///     numbers: Tensor<2>,
///     signs: Tensor<1, Int>,
/// }
///
/// impl Batcher<Item, Batch> for Signs {
///     fn batch(&self, items: Vec<Item>, device: &Device) -> Batch {
///         let (numbers, signs): (Vec<f32>, Vec<i64>) = items.into_iter().unzip();
///         Batch {
///             numbers: Tensor::<1>::from_data(numbers.as_slice(), device).unsqueeze_dim(1),
///             signs: Tensor::from_data(signs.as_slice(), device),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), burgeon_nn::NnError> {
/// let items = InMemDataset::new(vec![(-2.0, 0), (3.0, 1), (5.0, 1)]);
/// let source = DatasetSource::new(items, Signs, &FLEX.device(), |batch: Batch| {
///     Samples::from_targets(batch.numbers, Targets::Classes(batch.signs))
/// })?;
/// assert_eq!(source.subset(&[2, 0])?.len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct DatasetSource<I> {
    len: usize,
    read: Read<I>,
}

impl<I: Input> DatasetSource<I> {
    /// The items of `dataset`, made into tensors on `device` by `batcher`, of which `samples` says
    /// which are inputs and which are targets ([`Samples::from_targets`]).
    ///
    /// # Errors
    /// [`NnError::Data`] for a data set without items.
    pub fn new<T, B, E>(
        dataset: impl Dataset<T, E> + 'static,
        batcher: impl Batcher<T, B> + 'static,
        device: &Device,
        samples: impl Fn(B) -> Result<Samples<I>, NnError> + Send + Sync + 'static,
    ) -> Result<Self, NnError>
    where
        E: Error + Send + Sync + 'static,
    {
        let len = dataset.len();
        if len == 0 {
            return Err(NnError::Data(
                "the data set is empty: at least one item is needed".into(),
            ));
        }
        let device = match device.is_autodiff() {
            true => device.clone().inner(),
            false => device.clone(),
        };
        let read = move |indices: &[usize]| {
            let items = dataset.get_many(indices.to_vec()).map_err(|error| {
                NnError::Data(format!("items of the data set cannot be read: {error}"))
            })?;
            let samples = samples(batcher.batch(items, &device))?;
            if samples.len() == indices.len() {
                return Ok(samples);
            }
            Err(NnError::Data(format!(
                "the batcher made {} samples of {} items: it must make one of each",
                samples.len(),
                indices.len()
            )))
        };
        Ok(Self {
            len,
            read: Box::new(read),
        })
    }
}

impl<I> fmt::Debug for DatasetSource<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("DatasetSource");
        shown.field("len", &self.len).finish_non_exhaustive()
    }
}

impl<I: Input> Source<I> for DatasetSource<I> {
    fn len(&self) -> usize {
        self.len
    }

    fn subset(&self, indices: &[usize]) -> Result<Samples<I>, NnError> {
        if indices.is_empty() {
            return Err(NnError::Data("a subset needs at least one sample".into()));
        }
        // Data sets panic at these.
        if let Some(index) = indices.iter().find(|index| **index >= self.len) {
            return Err(NnError::Data(format!(
                "sample {index} does not exist: there are {}",
                self.len
            )));
        }
        (self.read)(indices)
    }
}
