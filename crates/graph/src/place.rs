//! Places at which a model may become deeper.

use burn::module::ParamId;

/// A parameter of a block that may be added.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockParameter {
    /// Its id in the over-grown graph.
    pub id: ParamId,
    /// Numbers in it.
    pub count: usize,
    /// The standard deviation by which weights of its fan-in usually start.
    pub deviation: f64,
}

/// A place at which a block may be added.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The stack's path in the model.
    pub stack: String,
    /// The block before the place, by its number in the stack's path; `None` at the front.
    pub after: Option<usize>,
    /// The new block's path in the over-grown model.
    pub block: String,
    /// The ids of all its floats in the over-grown graph, in their order.
    pub ids: Vec<ParamId>,
    /// What its closing weights multiply, in their order.
    pub opening: Vec<BlockParameter>,
    /// The weights at whose zero the block answers what it reads.
    pub closing: Vec<BlockParameter>,
}

impl Place {
    /// Whether a path is of the new block.
    pub fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.block);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}
