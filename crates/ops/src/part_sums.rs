//! Statistics of a batch that passes through a network in parts.
//!
//! A batch may be cut into parts, each of which passes forward and backward on a thread of its own.
//! What a layer needs of the whole batch is then summed over the parts while they are under way.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

/// Sums over the parts of a batch.
pub trait PartSums: Debug + Send + Sync {
    /// What all parts give, added up in f64 in an order of its own that is always the same. It
    /// waits for the others: each part asks as often as every other, in the same order, for as
    /// many numbers.
    ///
    /// # Errors
    /// A sentence that says why there will be no sum.
    fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>, String>;
}

thread_local! {
    static SUMS: RefCell<Option<Arc<dyn PartSums>>> = const { RefCell::new(None) };
}

/// Runs `work`, the forward pass of a part, in which [`batch_norm_train`](crate::batch_norm_train)
/// takes statistics over all parts. Its gradients are then those of the sum of the parts' losses.
///
/// ```
/// use std::sync::Arc;
///
/// use burgeon_ops::{FastBatchNormConfig, PartSums, in_parts};
/// use burn::tensor::{Device, Tensor};
///
/// /// As if there were a second part that is the same.
/// #[derive(Debug)]
/// struct Twice;
///
/// impl PartSums for Twice {
///     fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>, String> {
///         Ok(values.iter().map(|value| 2.0 * value).collect())
///     }
/// }
///
/// let device = Device::flex().autodiff();
/// let norm = FastBatchNormConfig::new(3).init(&device);
/// let maps = Tensor::<4>::ones([2, 3, 5, 5], &device);
/// let maps = in_parts(Arc::new(Twice), || norm.forward(maps));
/// assert_eq!(maps.dims(), [2, 3, 5, 5]);
/// ```
pub fn in_parts<R>(sums: Arc<dyn PartSums>, work: impl FnOnce() -> R) -> R {
    /// Puts back what was there before, after a panic too.
    struct Before(Option<Arc<dyn PartSums>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            SUMS.with(|sums| *sums.borrow_mut() = before);
        }
    }
    let _before = Before(SUMS.with(|own| own.borrow_mut().replace(sums)));
    work()
}

/// Those of the pass that runs on this thread, if it is a part's.
pub(crate) fn part_sums() -> Option<Arc<dyn PartSums>> {
    SUMS.with(|sums| sums.borrow().clone())
}

/// The sums of `values` over all parts.
///
/// # Panics
/// If there will be none, as Burn's operations do where they cannot go on.
pub(crate) fn summed(sums: &dyn PartSums, values: Vec<f64>) -> Vec<f64> {
    let count = values.len();
    match sums.sum(values) {
        Ok(sums) if sums.len() == count => sums,
        Ok(sums) => panic!("the parts sum {} numbers, not {count}", sums.len()),
        Err(problem) => panic!("{problem}"),
    }
}
