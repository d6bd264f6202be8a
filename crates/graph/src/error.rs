//! What can be wrong about a site.

/// A site that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The model has none of this name.
    #[error("the model has no site `{site}`; it has {}", known.join(", "))]
    UnknownSite {
        /// The name.
        site: String,
        /// The sites that may grow.
        known: Vec<String>,
    },
    /// It cannot grow.
    #[error("site `{site}` cannot grow: {reason}")]
    Frozen {
        /// Its name.
        site: String,
        /// Why.
        reason: String,
    },
}
