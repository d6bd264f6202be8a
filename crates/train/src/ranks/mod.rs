//! Training and growing on several ranks at once.

mod agreement;
mod gradients;
mod meeting;
mod numbers;

pub(crate) use agreement::{agreed, check_same, decided};
pub(crate) use gradients::{Shared, check_repeats};
