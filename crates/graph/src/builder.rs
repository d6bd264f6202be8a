//! Building a graph.

use burn::module::ParamId;

use crate::flow;
use crate::graph::{Depth, Graph, Node, Parameter};
use crate::layout::IndexMap;
use crate::operation::{Operation, Smoothness};
use crate::value::{Origin, Size, Value, ValueId};

/// Builds a [`Graph`] operation by operation, in their order.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    values: Vec<Value>,
    nodes: Vec<Node>,
    parameters: Vec<Parameter>,
    held: Vec<(ValueId, Option<usize>, String)>,
    batch: usize,
}

impl GraphBuilder {
    /// A graph whose shapes are looked at for a batch of this size.
    pub fn new(batch: usize) -> Self {
        Self {
            batch,
            ..Self::default()
        }
    }

    /// A parameter or running statistic, at `path` in the model, held by layers of the kinds
    /// `container`, joined by dots.
    pub fn parameter(
        &mut self,
        id: ParamId,
        path: &str,
        container: &str,
        shape: &[usize],
        trained: bool,
    ) -> ValueId {
        let origin = Origin::Parameter(self.parameters.len());
        let sizes = shape.iter().map(|&length| Size::fixed(length)).collect();
        let value = self.value(sizes, origin);
        self.parameters.push(Parameter {
            id,
            path: path.to_owned(),
            container: container.to_owned(),
            shape: shape.to_vec(),
            trained,
            axes: Vec::new(),
            roles: vec![None; shape.len()],
            value,
        });
        value
    }

    /// An input of the model.
    pub fn input(&mut self, shape: Vec<Size>) -> ValueId {
        self.value(shape, Origin::Input)
    }

    /// A tensor that the model holds besides its parameters.
    pub fn constant(&mut self, shape: Vec<Size>) -> ValueId {
        self.value(shape, Origin::Constant)
    }

    /// The next operation; gives its output.
    pub fn node(
        &mut self,
        name: &str,
        operation: Operation,
        smoothness: Smoothness,
        inputs: Vec<ValueId>,
        shape: Vec<Size>,
    ) -> ValueId {
        let output = self.value(shape, Origin::Node(self.nodes.len()));
        let own = inputs
            .iter()
            .find_map(|input| match self.values[input.0].origin {
                Origin::Parameter(index) => Some(self.parameters[index].layer().to_owned()),
                _ => None,
            });
        let before = || self.nodes.last().map(|node| node.layer.clone());
        let layer = own.or_else(before).unwrap_or_default();
        self.nodes.push(Node {
            name: name.to_owned(),
            operation,
            smoothness,
            inputs,
            output,
            layer,
        });
        output
    }

    /// Says that the channels along `axis` of a value (all axes for `None`) keep their number,
    /// and why.
    pub fn hold(&mut self, value: ValueId, axis: Option<usize>, reason: impl Into<String>) {
        self.held.push((value, axis, reason.into()));
    }

    /// Finds which channels belong together, and the sites.
    pub fn build(self, outputs: &[ValueId]) -> Graph {
        let mut graph = Graph {
            values: self.values,
            nodes: self.nodes,
            parameters: self.parameters,
            sites: Vec::new(),
            batch: self.batch,
            depth: Depth::default(),
        };
        flow::analyse(&mut graph, outputs, &self.held);
        graph
    }

    fn value(&mut self, shape: Vec<Size>, origin: Origin) -> ValueId {
        let axes = shape
            .iter()
            .map(|size| IndexMap::fixed(size.at(self.batch)));
        let axes = axes.collect();
        self.values.push(Value {
            shape,
            axes,
            origin,
        });
        ValueId(self.values.len() - 1)
    }
}
