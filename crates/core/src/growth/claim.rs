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
    /// One place of a stack of blocks.
    Place {
        /// The stack.
        stack: String,
        /// The block before the place, by its number; `None` at the front.
        after: Option<usize>,
    },
}

/// A place of a stack in words.
pub(crate) fn place(after: Option<usize>) -> String {
    match after {
        Some(block) => format!("behind block {block}"),
        None => "at the front".to_owned(),
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel { site, channel } => write!(f, "neuron {channel} of site `{site}`"),
            Self::Place { stack, after } => write!(f, "stack `{stack}` {}", place(*after)),
        }
    }
}
