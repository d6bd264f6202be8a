//! The errors of the splitting mathematics.

use std::error::Error;
use std::sync::Arc;

use burgeon_ops::UnknownActivation;
use burn::tensor::DType;

use crate::growth::claim::Claim;
use crate::world::WorldError;

/// What went wrong in the network behind a landscape.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LandscapeError(pub Arc<dyn Error + Send + Sync>);

impl PartialEq for LandscapeError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What can be wrong with the input of the splitting mathematics.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A site was captured without a single row.
    #[error("site `{site}` has no captured rows: capture on a data set that is not empty")]
    EmptyCapture {
        /// The site's name.
        site: String,
    },
    /// A captured tensor, a splitting matrix or a weight holds NaN or an infinity.
    #[error(
        "site `{site}`: {quantity} holds NaN or an infinity; check the data and the learning rate"
    )]
    NonFinite {
        /// The site's name.
        site: String,
        /// Which quantity was not finite.
        quantity: &'static str,
    },
    /// Two shapes do not fit together.
    #[error("{what}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// What was being read.
        what: String,
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// An eigen-decomposition did not converge.
    #[error("site `{site}`, neuron {neuron}: the eigen-decomposition did not converge")]
    Eigen {
        /// The site's name.
        site: String,
        /// The neuron within the site.
        neuron: usize,
    },
    /// Splitting matrices written out do not fit into the memory budget.
    #[error(
        "site `{site}`: dense splitting matrices take {needed} bytes, the budget is {budget}: \
         raise it or use the krylov method"
    )]
    Memory {
        /// The site's name.
        site: String,
        /// Bytes that the matrices take.
        needed: usize,
        /// Bytes allowed.
        budget: usize,
    },
    /// The backend cannot compute in this type.
    #[error("the {backend} backend cannot compute in {dtype:?}; use f32")]
    UnsupportedDType {
        /// The backend's name.
        backend: &'static str,
        /// The type that was asked for.
        dtype: DType,
    },
    /// An optimisation under a budget found no solution.
    #[error("the optimiser failed on {candidates} candidates: {reason}")]
    Solver {
        /// How many candidates there were.
        candidates: usize,
        /// What it said.
        reason: String,
    },
    /// A tensor could not be read back from the device.
    #[error("could not read {what} from the device: {reason}")]
    Read {
        /// Which tensor.
        what: String,
        /// What the device said.
        reason: String,
    },
    /// A parameter of an algorithm is outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Two growths of a plan need the same.
    #[error("the plan grows {claim} twice: it is grown once in a step")]
    ClaimedTwice {
        /// What both claim.
        claim: Claim,
    },
    /// New neurons that would never learn.
    #[error(
        "site `{site}`: new neurons with a zero fan-in have no gradient behind an activation \
         without a slope at 0: give them a zero fan-out"
    )]
    DeadStart {
        /// The site's name.
        site: String,
    },
    /// New layers for a network that takes none.
    #[error(
        "the network has no stack of blocks that may become longer: hold its blocks in a `Stack` and \
         name that in `Growable::stacks`"
    )]
    NoStack,
    /// New neurons that would start at 0 in front of a batch normalisation.
    #[error(
        "site `{site}`: new neurons with a zero fan-in in front of a batch normalisation are no \
         small change: it divides by their spread, which is 0. Give them a zero fan-out"
    )]
    NormalisedStart {
        /// The site's name.
        site: String,
    },
    /// No site has the moments that a criterion asked for.
    #[error("no site has second moments of what it reads and of what its readers lack: {reasons}")]
    NoMoments {
        /// Each site's reason.
        reasons: String,
    },
    /// Losses were asked of a capture.
    #[error(
        "a capture has no network to look at or to try growths on: use a landscape of the model"
    )]
    NoNetwork,
    /// The network behind a landscape failed.
    #[error(transparent)]
    Landscape(LandscapeError),
    /// The ranks of a world failed each other.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A name that stands for no activation.
    #[error(transparent)]
    UnknownActivation(#[from] UnknownActivation),
}
