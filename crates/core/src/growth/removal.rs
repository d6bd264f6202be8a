//! Removals.

use serde::{Deserialize, Serialize};

/// A neuron that is taken away, with everything that belongs to its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The site.
    pub site: String,
    /// The neuron, numbered as before the plan.
    pub neuron: usize,
}
