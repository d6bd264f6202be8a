//! New neurons.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// One side of a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What it reads by, bias included.
    FanIn,
    /// What it is read by.
    FanOut,
}

/// A neuron that is added: with one side at ε times the values given, so that the network is
/// unchanged at ε = 0 (for the fan-in: where the activation is 0 at 0).
///
/// What else belongs to its channel (scales of a normalisation, slopes) starts as that of a neuron
/// there is, [`like`](Self::like). So do running statistics of batch normalisations, unless they
/// are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewNeuron {
    /// The site.
    pub site: String,
    /// `θ`, `[d]`, in the order of the fan-in with the bias last; all 0 if empty.
    pub fan_in: Vec<f64>,
    /// The slices of all parameters that read the channel, `[k]`, in the order of the network's
    /// parameters; all 0 if empty.
    pub fan_out: Vec<f64>,
    /// The side that ε multiplies.
    pub scaled: Side,
    /// Its running statistics: for each batch normalisation of the channel, in the order of the
    /// network, the means at its places and then the variances; those of a neuron there is if
    /// empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<f64>,
    /// The neuron whose scales and slopes it starts with. `None`: neuron 0 for the first new one of
    /// a site, neuron 1 for the next, and round, so that it depends on the plan's other growths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<usize>,
}

impl NewNeuron {
    /// Whether nothing reads it whatever ε is.
    pub fn is_silent(&self) -> bool {
        self.fan_out.iter().all(|value| *value == 0.0)
    }

    /// Whether the side that ε multiplies is 0.
    pub fn is_still(&self) -> bool {
        let scaled = match self.scaled {
            Side::FanIn => &self.fan_in,
            Side::FanOut => &self.fan_out,
        };
        scaled.iter().all(|value| *value == 0.0)
    }

    pub(super) fn check(&self) -> Result<(), CoreError> {
        let all = self.fan_in.iter().chain(&self.fan_out);
        if !all.chain(&self.statistics).all(|value| value.is_finite()) {
            return Err(CoreError::NonFinite {
                site: self.site.clone(),
                quantity: "a new neuron's weights",
            });
        }
        let is_zero = |values: &[f64]| values.iter().all(|value| *value == 0.0);
        if is_zero(&self.fan_in) && is_zero(&self.fan_out) {
            return Err(CoreError::Parameter {
                name: "a new neuron's weights",
                value: format!("0 on both sides (site {})", self.site),
                expected: "one side that is not 0: else it never learns",
            });
        }
        Ok(())
    }
}
