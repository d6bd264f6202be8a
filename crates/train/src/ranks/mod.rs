//! Training and growing on several ranks at once.

mod agreement;
mod gradients;
mod meeting;
mod numbers;
mod threads;

pub(crate) use agreement::{agreed, check_same, decided};
pub(crate) use gradients::{Shared, check_repeats};
pub(crate) use threads::ShardThreads;
