//! Where a network may become deeper.

use crate::growth::claim;

/// A place of a stack of blocks at which a new one may stand, and what is to be chosen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The stack, by its path in the model.
    pub stack: String,
    /// The block before the place, by its number in the stack's path; `None` at the front.
    pub after: Option<usize>,
    /// The opening weights of the block, parameter by parameter.
    pub opening: Vec<BlockWeights>,
    /// Its closing weights.
    pub closing: Vec<BlockWeights>,
    /// What the block adds to the cost of the network as it stands: parameters, or whatever the
    /// cost model counts.
    pub price: u64,
}

/// A parameter of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockWeights {
    /// Numbers in it.
    pub count: usize,
    /// The standard deviation by which weights of its fan-in usually start, `1/√fan-in`.
    pub deviation: f64,
}

impl BlockWeights {
    /// How long a vector of all numbers usually is.
    pub fn length(&self) -> f64 {
        self.deviation * (self.count as f64).sqrt()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.stack, claim::place(self.after))
    }
}
