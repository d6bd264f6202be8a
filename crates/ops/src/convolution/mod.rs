//! Convolution on slices: forward pass, input gradient, weight gradient.
//!
//! Maps are laid out once per task (`planes`); from there on a convolution is a sum of
//! shifted lines, formed in registers for the vector width found at run time: with channels in
//! the lanes of a vector where there are enough of them (`channels`, `channel_reduction`), else
//! with positions (`correlate`, `reduce`). Tasks are groups of samples, cut without regard to
//! the number of threads.

mod channel_reduction;
mod channels;
mod correlate;
mod filters;
mod forward;
mod fused;
mod input_gradient;
mod planes;
mod reduce;
mod shape;
mod weight_gradient;

pub use fused::{AnswerChange, FilterSums, filter_gradient_of_answers};
pub use planes::{Geometry, Run};
pub use shape::Channels;

pub(crate) use forward::{Addend, forward};
pub(crate) use input_gradient::input_gradient;
pub(crate) use weight_gradient::weight_gradient;
