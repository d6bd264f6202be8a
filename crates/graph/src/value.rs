//! Tensors of a graph.

use crate::layout::IndexMap;

/// A tensor in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// The length of an axis: `per_sample · batch + fixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What each sample adds.
    pub per_sample: usize,
    /// What is there without any.
    pub fixed: isize,
}

impl Size {
    /// A length that does not depend on the batch.
    pub fn fixed(length: usize) -> Self {
        Self {
            per_sample: 0,
            fixed: isize::try_from(length).unwrap_or(isize::MAX),
        }
    }

    /// The length at a batch size; 0 where it would be negative.
    pub fn at(&self, batch: usize) -> usize {
        let all = (self.per_sample * batch) as isize + self.fixed;
        usize::try_from(all).unwrap_or(0)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Node(usize),
    Parameter(usize),
    Input,
    /// Data that the model holds.
    Constant,
}

/// A tensor.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub shape: Vec<Size>,
    pub axes: Vec<IndexMap>,
    pub origin: Origin,
}
