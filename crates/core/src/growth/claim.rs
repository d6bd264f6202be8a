//! Claims.

use std::fmt;

/// What a growth needs for itself: of two growths that claim the same, one can be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Claim {
    /// One channel of a site. Copies are centred at one split; a second one would move them by
    /// different amounts, at order ε.
    Channel {
        /// The site.
        site: String,
        /// The channel, numbered as before the plan.
        channel: usize,
    },
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel { site, channel } => write!(f, "neuron {channel} of site `{site}`"),
        }
    }
}
