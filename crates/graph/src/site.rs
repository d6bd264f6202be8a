//! Where channels are formed and read.

use crate::layout::GroupId;
use crate::operation::Smoothness;
use crate::value::ValueId;

/// The slices of one parameter, one for each channel of a site: a part of θ, or of what reads the
/// channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slices {
    /// The parameter's place in [`Graph::parameters`](crate::Graph::parameters).
    pub parameter: usize,
    /// The axis along which the channels lie.
    pub axis: usize,
    /// Numbers of it that one channel has.
    pub size: usize,
}

/// A mixing point: an operation that reads a site's channels and mixes them with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The operation's place in [`Graph::nodes`](crate::Graph::nodes).
    pub node: usize,
    /// What it reads.
    pub value: ValueId,
}

/// Channels that are widened together, between what makes them and what mixes them.
#[derive(Debug, Clone)]
pub struct Site {
    pub(crate) name: String,
    pub(crate) group: GroupId,
    pub(crate) width: usize,
    pub(crate) fan_in: Vec<Slices>,
    pub(crate) producers: Vec<String>,
    pub(crate) nodes: Vec<usize>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) smoothness: Smoothness,
    pub(crate) frozen: Option<String>,
}

impl Site {
    /// Its name: the path of the first layer that makes its channels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its group of channels, as index maps name it.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Number of channels, which are its neurons.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The parts of θ in their order: weights as the forward pass uses them, each with its bias
    /// behind it. Within a part a neuron's slices come in the order of the parameter's shape.
    pub fn fan_in(&self) -> &[Slices] {
        &self.fan_in
    }

    /// The dimension of θ.
    pub fn dim(&self) -> usize {
        self.fan_in.iter().map(|part| part.size).sum()
    }

    /// The layers whose outputs the channels are.
    pub fn producers(&self) -> &[String] {
        &self.producers
    }

    /// The operations on these channels, those that make them included, in their order.
    pub fn nodes(&self) -> &[usize] {
        &self.nodes
    }

    /// Where they are mixed, in the order of the operations.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The least exact of the operations between producers and edges.
    pub fn smoothness(&self) -> Smoothness {
        self.smoothness
    }

    /// Why it cannot grow, if it cannot.
    pub fn frozen(&self) -> Option<&str> {
        self.frozen.as_deref()
    }
}
