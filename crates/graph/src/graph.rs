//! A model's operations and parameters.

use std::sync::Arc;

use burn::module::ParamId;

use crate::error::GraphError;
use crate::layout::{ChannelMap, GroupId, IndexMap, Source};
use crate::operation::{Operation, Smoothness};
use crate::place::Place;
use crate::site::{Site, Slices};
use crate::value::{Origin, Size, Value, ValueId};

/// What an axis of a parameter is to the channels that lie along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It makes them: one slice is a neuron's fan-in.
    Producer,
    /// One number of it is added to each of them where they are made.
    Bias,
    /// One slice is the kernel through which one of them goes (a depthwise convolution).
    Kernel,
    /// It belongs to them otherwise (a normalisation).
    Member,
    /// It reads them: one slice is a channel's outgoing weight.
    Reader,
}

/// A parameter or running statistic.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its id.
    pub id: ParamId,
    /// Its path in the model.
    pub path: String,
    /// The kinds of the layers that hold it, outermost first, joined by dots.
    pub container: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it is trained (running statistics and frozen parameters are not).
    pub trained: bool,
    /// Which channels lie along each axis.
    pub axes: Vec<IndexMap>,
    /// What each axis is to them.
    pub roles: Vec<Option<Role>>,
    pub(crate) value: ValueId,
}

impl Parameter {
    /// The layer's path: that of the parameter without its own name.
    pub fn layer(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(layer, _)| layer)
    }

    /// Numbers in it once groups have these widths.
    pub fn size_with(&self, width: &dyn Fn(GroupId) -> Option<usize>) -> u64 {
        let lengths = self.axes.iter().map(|axis| axis.length_with(width) as u64);
        lengths.product()
    }
}

/// An operation of a graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// The operation's name.
    pub name: String,
    /// What it does to channels.
    pub operation: Operation,
    /// Whether the curvature through it is exact.
    pub smoothness: Smoothness,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// What it gives.
    pub output: ValueId,
    /// The path of the layer that it belongs to, or that it follows.
    pub layer: String,
}

/// What a model computes: operations in their order, parameters, and the sites at which it may
/// grow.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) sites: Vec<Site>,
    pub(crate) batch: usize,
    pub(crate) depth: Depth,
}

/// A model with a block at each of its places.
#[derive(Debug, Clone)]
pub struct Overgrown {
    /// What it computes.
    pub graph: Graph,
    /// Its places, stack by stack, front first.
    pub places: Vec<Place>,
}

/// What a graph knows of the model's depth.
#[derive(Debug, Clone, Default)]
pub(crate) struct Depth {
    pub(crate) overgrown: Option<Arc<Overgrown>>,
    /// Stacks that take no block, with the reasons.
    pub(crate) refused: Vec<(String, String)>,
}

impl Graph {
    /// The operations, in their order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Parameters and running statistics.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All sites, frozen ones too.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The sites that may grow.
    pub fn growable(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| site.frozen.is_none())
    }

    /// The site of this name.
    ///
    /// # Errors
    /// [`GraphError::UnknownSite`] that names those there are, [`GraphError::Frozen`] with the
    /// reason.
    pub fn site(&self, name: &str) -> Result<&Site, GraphError> {
        let found = self.sites.iter().find(|site| site.name == name);
        let site = found.ok_or_else(|| GraphError::UnknownSite {
            site: name.to_owned(),
            known: self.growable().map(|site| site.name.clone()).collect(),
        })?;
        match &site.frozen {
            Some(reason) => Err(GraphError::Frozen {
                site: name.to_owned(),
                reason: reason.clone(),
            }),
            None => Ok(site),
        }
    }

    /// Says that the site of `group` cannot grow, and why; a reason that it has already stays.
    pub fn freeze(&mut self, group: GroupId, reason: impl Into<String>) {
        if let Some(site) = self.sites.get_mut(group.0) {
            site.frozen.get_or_insert_with(|| reason.into());
        }
    }

    /// The sites that may grow with their number of channels.
    pub fn widths(&self) -> Vec<(String, usize)> {
        let sites = self.growable();
        sites.map(|site| (site.name.clone(), site.width)).collect()
    }

    /// The parameter of this id.
    pub fn parameter(&self, id: ParamId) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.id == id)
    }

    /// The parameter that a value is, or is in another shape.
    pub fn parameter_of(&self, value: ValueId) -> Option<&Parameter> {
        match self.values[value.0].origin {
            Origin::Parameter(index) => self.parameters.get(index),
            Origin::Node(index) => {
                let node = &self.nodes[index];
                let moves = matches!(
                    node.operation,
                    Operation::Reshape | Operation::Permute { .. } | Operation::Expand
                );
                let source = node.inputs.first().filter(|_| moves)?;
                self.parameter_of(*source)
            }
            _ => None,
        }
    }

    /// Whether an operation only puts a parameter into another shape.
    pub fn is_of_parameters(&self, node: &Node) -> bool {
        self.parameter_of(node.output).is_some()
    }

    /// The sizes of a value's axes as it was traced.
    pub fn sizes(&self, value: ValueId) -> &[Size] {
        &self.values[value.0].shape
    }

    /// Which channels lie along each axis of a value.
    pub fn axes(&self, value: ValueId) -> &[IndexMap] {
        &self.values[value.0].axes
    }

    /// The shape of a value for a batch, once groups have these widths.
    pub fn shape(
        &self,
        value: ValueId,
        batch: usize,
        width: &dyn Fn(GroupId) -> Option<usize>,
    ) -> Vec<usize> {
        let Value { shape, axes, .. } = &self.values[value.0];
        let lengths = shape.iter().zip(axes);
        lengths
            .map(|(size, axis)| match axis.has_channels() {
                true => axis.length_with(width),
                false => size.at(batch),
            })
            .collect()
    }

    /// Where the numbers of one channel of `site` lie in the parameter of `part`, in θ's order.
    pub fn slice(&self, site: &Site, part: &Slices, channel: usize) -> Vec<usize> {
        let parameter = &self.parameters[part.parameter];
        let (axis, shape) = (part.axis, &parameter.shape);
        let length = shape[axis];
        let outer: usize = shape[..axis].iter().product();
        let inner: usize = shape[axis + 1..].iter().product();
        let places = parameter.axes[axis].places(site.group(), channel);
        let mut numbers = Vec::with_capacity(part.size);
        for place in places {
            for block in 0..outer {
                let first = (block * length + place) * inner;
                numbers.extend(first..first + inner);
            }
        }
        numbers
    }

    /// Trained parameters once groups have these widths.
    pub fn parameter_count(&self, width: &dyn Fn(GroupId) -> Option<usize>) -> u64 {
        let trained = self.parameters.iter().filter(|p| p.trained);
        trained.map(|parameter| parameter.size_with(width)).sum()
    }

    /// For each axis of a parameter that changes: its number, and where each new place comes from.
    pub fn selections(
        &self,
        parameter: &Parameter,
        map: &dyn Fn(GroupId) -> Option<ChannelMap>,
    ) -> Vec<(usize, Vec<Source>)> {
        let changes = |axis: &IndexMap| axis.groups().into_iter().any(|g| map(g).is_some());
        let axes = parameter.axes.iter().enumerate();
        axes.filter(|(_, axis)| changes(axis))
            .map(|(index, axis)| (index, axis.selected(map)))
            .collect()
    }

    /// The running statistics of the batch normalisations of `site`'s channels, in the order of
    /// the operations: for each the part of its means, then that of its variances.
    pub fn statistics(&self, site: &Site) -> Vec<Slices> {
        let mut parts = Vec::new();
        for (_, means, variances) in self.normalisations(site) {
            parts.extend([means, variances]);
        }
        parts
    }

    /// The batch normalisations of `site`'s channels alone, in the order of the operations: the
    /// operation's place in [`nodes`](Self::nodes), its means and its variances.
    pub fn normalisations(&self, site: &Site) -> Vec<(usize, Slices, Slices)> {
        let part = |value: ValueId| {
            let found = self.parameter_of(value)?;
            let parameter = self.parameters.iter().position(|own| own.id == found.id)?;
            let [map] = &found.axes[..] else { return None };
            let alone = map.groups().into_iter().eq([site.group]);
            alone.then(|| Slices {
                parameter,
                axis: 0,
                size: map.places(site.group, 0).len(),
            })
        };
        let of_node = |index: &usize| {
            let node = &self.nodes[*index];
            match (&node.operation, &node.inputs[..]) {
                (Operation::ChannelNorm, &[_, _, _, means, variances]) => {
                    Some((*index, part(means)?, part(variances)?))
                }
                _ => None,
            }
        };
        site.nodes.iter().filter_map(of_node).collect()
    }

    /// The parameters by which the channels of `site` are read, in the order of
    /// [`parameters`](Self::parameters).
    pub fn fan_out(&self, site: &Site) -> Vec<Slices> {
        let mut parts = Vec::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            for (axis, map) in parameter.axes.iter().enumerate() {
                let places = map.places(site.group(), 0).len();
                if parameter.roles[axis] == Some(Role::Reader) && places > 0 {
                    let others: usize = parameter.shape.iter().product::<usize>();
                    parts.push(Slices {
                        parameter: index,
                        axis,
                        size: others / parameter.shape[axis].max(1) * places,
                    });
                }
            }
        }
        parts
    }
}
