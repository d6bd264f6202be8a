//! Errors of asking for a site.

/// Why a site that was asked for cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The model has no site of this name.
    #[error("the model has no site `{site}`; it has {}", known.join(", "))]
    UnknownSite {
        /// The name.
        site: String,
        /// The sites that may grow.
        known: Vec<String>,
    },
    /// The site cannot grow.
    #[error("site `{site}` cannot grow: {reason}")]
    Frozen {
        /// Its name.
        site: String,
        /// Why.
        reason: String,
    },
    /// The model has no stack of this name.
    #[error(
        "the model has no stack `{stack}` that could become longer; it has {known}. A struct's layers \
         are fixed: hold the blocks that may become more in a `Stack`, and name that in \
         `Growable::stacks` by its path"
    )]
    UnknownStack {
        /// The name.
        stack: String,
        /// The stacks there are.
        known: String,
    },
    /// The stack takes no block.
    #[error("stack `{stack}` cannot become longer: {reason}")]
    RefusedStack {
        /// Its name.
        stack: String,
        /// Why.
        reason: String,
    },
    /// The stack has no such place.
    #[error("stack `{stack}` takes no block {place}: the graph's summary has its places")]
    UnknownPlace {
        /// The stack.
        stack: String,
        /// The place.
        place: String,
    },
}
