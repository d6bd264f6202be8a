//! Errors.

/// What a network cannot be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZooError {
    /// The wrong number of widths.
    #[error("{network} has {expected} widths, not {found}")]
    Widths {
        /// The network.
        network: &'static str,
        /// How many it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A layer without channels, an input without channels, or no class.
    #[error("{network}: {what} is 0, at least 1 is needed")]
    Nothing {
        /// The network.
        network: &'static str,
        /// What there is none of.
        what: String,
    },
}

/// Checks that every width, the input's channels and the classes are at least 1.
pub(crate) fn check(
    network: &'static str,
    widths: &[usize],
    [channels, classes]: [usize; 2],
) -> Result<(), ZooError> {
    let nothing = |what: String| Err(ZooError::Nothing { network, what });
    if let Some(layer) = widths.iter().position(|width| *width == 0) {
        return nothing(format!("width number {}", layer + 1));
    }
    match [channels, classes] {
        [0, _] => nothing("the number of the input's channels".into()),
        [_, 0] => nothing("the number of classes".into()),
        _ => Ok(()),
    }
}
