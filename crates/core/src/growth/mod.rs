//! Growths: the possible changes of a network.

pub(crate) mod claim;
mod gain;
mod new_layer;
mod new_neuron;
mod removal;
mod split;

pub use claim::Claim;
pub use gain::{Gain, Order};
pub use new_layer::NewLayer;
pub use new_neuron::{NewNeuron, Side};
pub use removal::Removal;
pub use split::Split;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// One possible change of a network. It can be written down, and made again from what was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Growth {
    /// A neuron becomes several.
    Split(Split),
    /// A neuron is added.
    NewNeuron(NewNeuron),
    /// A stack of blocks becomes longer.
    NewLayer(NewLayer),
    /// A neuron is taken away.
    Removal(Removal),
}

impl Growth {
    /// The site that is changed, or the stack that becomes longer.
    pub fn site(&self) -> &str {
        match self {
            Self::NewLayer(layer) => &layer.stack,
            Self::Split(split) => &split.site,
            Self::NewNeuron(neuron) => &neuron.site,
            Self::Removal(removal) => &removal.site,
        }
    }

    /// What it needs for itself.
    pub fn claims(&self) -> Vec<Claim> {
        let channel = |site: &String, channel: usize| {
            let site = site.clone();
            vec![Claim::Channel { site, channel }]
        };
        match self {
            Self::Split(split) => channel(&split.site, split.neuron),
            Self::NewNeuron(_) => Vec::new(),
            Self::NewLayer(layer) => vec![Claim::Place {
                stack: layer.stack.clone(),
                after: layer.after,
            }],
            Self::Removal(removal) => channel(&removal.site, removal.neuron),
        }
    }

    /// Channels that it adds to its site, less those that it takes away.
    pub fn channels_added(&self) -> isize {
        match self {
            Self::Split(split) => split.offspring.len().cast_signed() - 1,
            Self::NewNeuron(_) => 1,
            Self::NewLayer(_) => 0,
            Self::Removal(_) => -1,
        }
    }

    /// Whether the network becomes larger by it.
    pub fn is_addition(&self) -> bool {
        self.channels_added() > 0 || matches!(self, Self::NewLayer(_))
    }

    /// Whether the network computes the same for every step ε, so that there is no step to search
    /// for.
    pub fn is_neutral(&self) -> bool {
        match self {
            Self::NewNeuron(neuron) => neuron.is_silent() || neuron.is_still(),
            Self::NewLayer(layer) => layer.is_silent(),
            Self::Split(_) | Self::Removal(_) => false,
        }
    }

    /// Whether the network computes the same at ε = 0.
    pub fn preserves_outputs(&self) -> bool {
        !matches!(self, Self::Removal(_))
    }

    /// Its kind in a table: a split's scheme, or what else it is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Split(split) => split.scheme.name(),
            Self::NewNeuron(_) => "new neuron",
            Self::NewLayer(_) => "new layer",
            Self::Removal(_) => "removal",
        }
    }

    /// Checks what a surgery relies on, for a growth that came from a file.
    ///
    /// # Errors
    /// [`CoreError::Parameter`] or [`CoreError::NonFinite`] that says what is wrong.
    pub fn check(&self) -> Result<(), CoreError> {
        match self {
            Self::Split(split) => split.check(),
            Self::NewNeuron(neuron) => neuron.check(),
            Self::NewLayer(layer) => layer.check(),
            Self::Removal(_) => Ok(()),
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Split(split) => write!(
                f,
                "{} neuron {}: {}",
                split.site, split.neuron, split.scheme
            ),
            Self::NewNeuron(neuron) => write!(f, "{}: new neuron", neuron.site),
            Self::NewLayer(layer) => {
                let (stack, place) = (&layer.stack, claim::place(layer.after));
                write!(f, "{stack} {place}: new layer")
            }
            Self::Removal(removal) => {
                write!(f, "{} neuron {}: removal", removal.site, removal.neuron)
            }
        }
    }
}
