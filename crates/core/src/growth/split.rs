//! Splits.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::scheme::{Offspring, Scheme};

/// A neuron `θ` becomes copies `θ + ε δ_i`, what reads it `a` becomes `a·w_i`
/// (arXiv 1910.02366).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The site.
    pub site: String,
    /// The neuron, numbered as before the plan.
    pub neuron: usize,
    /// How the copies are placed.
    pub scheme: Scheme,
    /// The copies: the first takes the parent's place, the others are appended.
    pub offspring: Vec<Offspring>,
}

impl Split {
    pub(super) fn check(&self) -> Result<(), CoreError> {
        let total: f64 = self.offspring.iter().map(|copy| copy.weight).sum();
        if self.offspring.is_empty() || (total - 1.0).abs() > 1e-9 || total.is_nan() {
            return Err(CoreError::Parameter {
                name: "sum of the offspring's weights",
                value: format!("{total} ({} neuron {})", self.site, self.neuron),
                expected: "1, so that the network is unchanged at ε = 0",
            });
        }
        let offsets = self.offspring.iter().flat_map(|copy| &copy.offset);
        if offsets.into_iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(CoreError::NonFinite {
            site: self.site.clone(),
            quantity: "an offspring's offset",
        })
    }
}
