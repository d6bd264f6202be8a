//! Where growths' numbers come to lie.

use burgeon_core::growth::Side;
use burn::module::ParamId;

/// Where the numbers of one side of a growth lie in a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placement {
    /// The growth, by its place in the plan.
    pub growth: usize,
    /// Which neuron of those that the growth makes or moves.
    pub neuron: usize,
    pub side: Side,
    pub parameter: ParamId,
    /// Which of the parameter's primitives adds the numbers.
    pub primitive: usize,
    /// Each number of the side, and a place in the parameter as that primitive leaves it.
    pub entries: Vec<(usize, usize)>,
}
