//! New layers.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// A block `x + ε h(x)` that a stack of blocks becomes longer by: at ε = 0 it answers what it reads,
/// so that the network is unchanged (firefly descent, arXiv 2102.08574, "growing deeper").
///
/// What is in `h` is the network's: the closing weights are those at whose zero `h` is zero (its
/// last map), the opening weights are what they multiply. What belongs to neither, such as the
/// biases and scales within `h`, starts as the stack's blocks say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewLayer {
    /// The stack, by its path in the model.
    pub stack: String,
    /// The block that it comes behind, by its number in the stack's path; at the stack's front if
    /// `None`.
    pub after: Option<usize>,
    /// The opening weights, parameter by parameter in the block's order.
    pub opening: Vec<f64>,
    /// The closing weights, which ε multiplies, likewise.
    pub closing: Vec<f64>,
}

impl NewLayer {
    /// Whether it answers what it reads whatever ε is.
    pub fn is_silent(&self) -> bool {
        self.closing.iter().all(|value| *value == 0.0)
    }

    pub(super) fn check(&self) -> Result<(), CoreError> {
        let both = self.opening.iter().chain(&self.closing);
        if !both.into_iter().all(|value| value.is_finite()) {
            return Err(CoreError::NonFinite {
                site: self.stack.clone(),
                quantity: "a new layer's weights",
            });
        }
        let no_opening = self.opening.iter().all(|value| *value == 0.0);
        if self.is_silent() && no_opening && !self.opening.is_empty() {
            return Err(CoreError::Parameter {
                name: "a new layer's weights",
                value: format!("0 throughout (stack {})", self.stack),
                expected: "opening or closing weights that are not 0: else it never learns",
            });
        }
        Ok(())
    }
}
