//! Follows channels through a graph's operations.

mod elementwise;
mod finish;
mod mixing;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, Node, Role};
use crate::groups::Groups;
use crate::layout::Segment;
use crate::operation::Operation;
use crate::site::Edge;
use crate::value::{Origin, ValueId};

type Axes = Vec<Vec<Segment>>;

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It depends on the input.
    Data,
    /// A parameter, or one in another shape.
    Weight,
    /// Of parameters and constants by arithmetic.
    Computed,
    /// One number everywhere.
    Uniform,
}

/// Places of parameters: `(parameter, axis)`.
type Places = BTreeSet<(usize, usize)>;

struct Analysis<'a> {
    graph: &'a Graph,
    groups: Groups,
    axes: Vec<Axes>,
    classes: Vec<Class>,
    /// Of weights: which axes of which parameters lie along each axis.
    places: Vec<Vec<Places>>,
    roles: BTreeMap<(usize, usize), Role>,
    edges: Vec<(Edge, Vec<Segment>)>,
    /// Producers and biases in the order in which operations use them.
    used: Vec<(usize, usize)>,
}

/// Finds index maps, roles and sites, and writes them into `graph`.
pub(crate) fn analyse(
    graph: &mut Graph,
    outputs: &[ValueId],
    held: &[(ValueId, Option<usize>, String)],
) {
    let mut analysis = Analysis::new(graph);
    for index in 0..graph.nodes.len() {
        analysis.visit(index);
    }
    for output in outputs {
        for axis in analysis.axes[output.0].clone() {
            analysis
                .groups
                .freeze(&axis, &|| "it is the model's output".into());
        }
    }
    for (value, axis, reason) in held {
        let axes = analysis.axes[value.0].clone();
        let held = axes.iter().enumerate();
        for (_, segments) in held.filter(|(index, _)| axis.is_none_or(|axis| axis == *index)) {
            analysis.groups.freeze(segments, &|| reason.clone());
        }
    }
    let Analysis {
        groups,
        axes,
        roles,
        edges,
        used,
        ..
    } = analysis;
    finish::finish(graph, &groups, &axes, &roles, &edges, &used);
}

impl<'a> Analysis<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut groups = Groups::default();
        let (mut axes, mut classes, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for value in &graph.values {
            let fixed = |value: &crate::value::Value| {
                value
                    .axes
                    .iter()
                    .map(|axis| axis.segments.clone())
                    .collect()
            };
            let none = vec![Places::new(); value.shape.len()];
            let (own, class, place): (Axes, _, _) = match value.origin {
                Origin::Parameter(index) => {
                    let shape = &graph.parameters[index].shape;
                    let own = shape.iter().map(|&length| groups.axis(length)).collect();
                    let place = (0..shape.len()).map(|axis| Places::from([(index, axis)]));
                    (own, Class::Weight, place.collect())
                }
                Origin::Constant => (fixed(value), Class::Computed, none),
                Origin::Input | Origin::Node(_) => (fixed(value), Class::Data, none),
            };
            axes.push(own);
            classes.push(class);
            places.push(place);
        }
        Self {
            graph,
            groups,
            axes,
            classes,
            places,
            roles: BTreeMap::new(),
            edges: Vec::new(),
            used: Vec::new(),
        }
    }

    fn visit(&mut self, index: usize) {
        let node = &self.graph.nodes[index];
        let output = node.output.0;
        self.classes[output] = self.class_of(node);
        let lengths: Vec<usize> = self.lengths(node.output);
        let axes = self.output_axes(index, node, &lengths);
        self.axes[output] = axes;
    }

    pub(super) fn lengths(&self, value: ValueId) -> Vec<usize> {
        let shape = &self.graph.values[value.0].shape;
        shape.iter().map(|size| size.at(self.graph.batch)).collect()
    }

    pub(super) fn class_of(&self, node: &Node) -> Class {
        let of = |class| move |input: &ValueId| self.classes[input.0] == class;
        let all = |class| node.inputs.iter().all(of(class));
        if node.operation == Operation::Fill {
            // One with a row for each sample is read as data are.
            let sizes = self.graph.values[node.output.0].shape.iter();
            return match sizes.clone().any(|size| size.per_sample != 0) {
                true => Class::Data,
                false => Class::Uniform,
            };
        }
        if node.inputs.iter().any(of(Class::Data)) {
            return Class::Data;
        }
        let moves_only = matches!(
            node.operation,
            Operation::Reshape
                | Operation::Permute { .. }
                | Operation::Expand
                | Operation::Slice { .. }
                | Operation::Concatenate { .. }
        );
        match moves_only {
            true if all(Class::Weight) => Class::Weight,
            _ if all(Class::Uniform) => Class::Uniform,
            _ => Class::Computed,
        }
    }

    /// The axes of a fill: each of a group of its own, since it can be had in any width.
    fn filled(&mut self, node: &Node, lengths: &[usize]) -> Axes {
        let sizes = self.graph.values[node.output.0].shape.iter();
        sizes
            .zip(lengths)
            .map(|(size, &length)| match size.per_sample {
                0 => self.groups.axis(length),
                _ => vec![Segment::Fixed(length)],
            })
            .collect()
    }

    pub(super) fn is_fill(&self, value: ValueId) -> bool {
        let Origin::Node(node) = self.graph.values[value.0].origin else {
            return false;
        };
        self.graph.nodes[node].operation == Operation::Fill
    }

    pub(super) fn freeze(&mut self, segments: &[Segment], reason: &str) {
        self.groups.freeze(segments, &|| reason.to_owned());
    }

    pub(super) fn freeze_value(&mut self, value: ValueId, reason: &str) {
        for segments in self.axes[value.0].clone() {
            self.freeze(&segments, reason);
        }
    }

    /// The axes of a node's output; ties, freezes and roles on the way.
    pub(super) fn output_axes(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
        if node.operation == Operation::Fill {
            return self.filled(node, lengths);
        }
        let fixed = || lengths.iter().map(|&n| vec![Segment::Fixed(n)]).collect();
        let first = node.inputs.first().copied();
        let (Some(x), name) = (first, node.name.as_str()) else {
            return fixed();
        };
        let mut axes = self.axes[x.0].clone();
        match &node.operation {
            Operation::Elementwise { adds } => return self.elementwise(node, *adds, lengths),
            Operation::MatMul => return self.matmul(index, node, lengths),
            Operation::Linear => return self.linear(index, node, lengths),
            Operation::Convolution {
                groups, transposed, ..
            } => {
                return self.convolution(index, node, *groups, *transposed, lengths);
            }
            Operation::ChannelNorm => {
                for parameter in &node.inputs[1..] {
                    if let (Some(channels), false) =
                        (axes.get(1), self.axes[parameter.0].is_empty())
                    {
                        let along = self.single(*parameter, 0);
                        self.tie(channels, &along, name);
                    }
                }
            }
            Operation::Coupling { axis } => {
                let along = axes.get(*axis).cloned().unwrap_or_default();
                for parameter in &node.inputs[1..] {
                    let last = self.axes[parameter.0].last().cloned().unwrap_or_default();
                    self.tie(&along, &last, name);
                }
                self.freeze(&along, &format!("`{name}` couples them"));
            }
            Operation::Resize { axes: resized } => {
                for &axis in resized {
                    if let (Some(segments), Some(&length)) = (axes.get_mut(axis), lengths.get(axis))
                    {
                        let old = std::mem::replace(segments, vec![Segment::Fixed(length)]);
                        self.freeze(&old, &format!("`{name}` goes over them"));
                    }
                }
            }
            Operation::Reshape => return self.reshaped(node, x, lengths),
            Operation::Permute { axes: order } => {
                self.move_places(node, order);
                axes = order.iter().map(|&axis| axes[axis].clone()).collect();
            }
            Operation::Expand => {
                let missing = lengths.len().saturating_sub(axes.len());
                let added = lengths[..missing].iter().map(|&n| vec![Segment::Fixed(n)]);
                axes = added.chain(axes).collect();
                for (segments, &length) in axes.iter_mut().zip(lengths) {
                    let was: usize = segments.iter().map(Segment::length).sum();
                    if was != length {
                        let old = std::mem::replace(segments, vec![Segment::Fixed(length)]);
                        self.freeze(&old, &format!("`{name}` repeats it"));
                    }
                }
                let order: Vec<usize> = (0..axes.len()).map(|a| a.wrapping_sub(missing)).collect();
                self.move_places(node, &order);
            }
            Operation::Repeat { axis, times } => {
                if let Some(segments) = axes.get_mut(*axis) {
                    *segments = match segments.iter().any(|s| s.group().is_some()) {
                        true => segments.repeat(*times),
                        false => vec![Segment::Fixed(lengths[*axis])],
                    };
                }
            }
            Operation::Concatenate { axis } => return self.concatenate(node, *axis, lengths),
            Operation::Slice { ranges } => {
                for (axis, &(start, end, step)) in ranges.iter().enumerate() {
                    if let Some(segments) = axes.get_mut(axis) {
                        *segments = self.sliced(segments, start, end, step, name);
                    }
                }
                let order: Vec<usize> = (0..axes.len()).collect();
                self.move_places(node, &order);
            }
            Operation::SliceAssign { ranges } => {
                let part = node.inputs.get(1).map(|value| self.axes[value.0].clone());
                for (axis, &(start, end, step)) in ranges.iter().enumerate() {
                    let Some(segments) = axes.get(axis).cloned() else {
                        continue;
                    };
                    let cut = self.sliced(&segments, start, end, step, name);
                    if let Some(part) = part.as_ref().and_then(|part| part.get(axis)) {
                        self.tie(&cut, part, name);
                    }
                }
            }
            Operation::Select { axis } => {
                if let (Some(segments), Some(&length)) = (axes.get_mut(*axis), lengths.get(*axis)) {
                    let old = std::mem::replace(segments, vec![Segment::Fixed(length)]);
                    self.freeze(&old, &format!("`{name}` takes them by index"));
                }
            }
            Operation::Embedding => return self.embedding(node, lengths),
            Operation::Fill => return fixed(),
            Operation::Opaque => {
                for input in node.inputs.clone() {
                    self.freeze_value(input, &format!("`{name}` is not understood"));
                }
                return fixed();
            }
        }
        // A shape that is not what the operation says keeps no channel.
        let fits = axes.len() == lengths.len()
            && axes.iter().zip(lengths).all(|(segments, &length)| {
                segments.iter().map(Segment::length).sum::<usize>() == length
            });
        if fits {
            return axes;
        }
        self.freeze_value(x, &format!("`{name}` changes their shape"));
        fixed()
    }

    pub(super) fn tie(&mut self, a: &[Segment], b: &[Segment], name: &str) {
        let reason = || format!("`{name}` joins them to places of fixed number");
        self.groups.tie(a, b, &reason);
    }

    /// Says that all parameters along an axis of a weight play `role`.
    pub(super) fn role(&mut self, weight: ValueId, axis: usize, role: Role) {
        for place in self.places[weight.0][axis].clone() {
            match self.roles.get(&place) {
                Some(before) if *before != role => {
                    let parameter = &self.graph.parameters[place.0];
                    let reason = format!(
                        "`{}` both makes and reads along the same axis",
                        parameter.path
                    );
                    let segments = self.axes[parameter.value.0][place.1].clone();
                    self.freeze(&segments, &reason);
                }
                _ => {
                    self.roles.insert(place, role);
                }
            }
            let makes = matches!(role, Role::Producer | Role::Bias | Role::Kernel);
            if makes && !self.used.contains(&place) {
                self.used.push(place);
            }
        }
    }

    pub(super) fn reads(&mut self, node: usize, value: ValueId, segments: &[Segment]) {
        let edge = Edge { node, value };
        self.edges.push((edge, segments.to_vec()));
    }
}
