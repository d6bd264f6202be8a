//! Predicted decreases of the loss.

use serde::{Deserialize, Serialize};

/// By which power of the step ε a growth lowers the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// ε: a new neuron, a new layer.
    First,
    /// ε²: a split, whose copies are centred.
    Second,
}

/// The predicted decrease of the loss for a small step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// What the power of ε is multiplied with.
    pub value: f64,
    /// Which power.
    pub order: Order,
}

impl Gain {
    /// `value · ε`.
    pub fn first(value: f64) -> Self {
        let order = Order::First;
        Self { value, order }
    }

    /// `value · ε²`.
    pub fn second(value: f64) -> Self {
        let order = Order::Second;
        Self { value, order }
    }

    /// The predicted decrease for the step `epsilon`.
    pub fn at(&self, epsilon: f64) -> f64 {
        match self.order {
            Order::First => self.value * epsilon,
            Order::Second => self.value * epsilon * epsilon,
        }
    }
}

impl std::fmt::Display for Gain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let power = match self.order {
            Order::First => "ε",
            Order::Second => "ε²",
        };
        write!(f, "{:.3e}·{power}", self.value)
    }
}
