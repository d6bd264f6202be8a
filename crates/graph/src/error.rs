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
}
