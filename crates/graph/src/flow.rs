//! Follows channels through a graph's operations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::graph::{Graph, Node, Origin, Role, ValueId};
use crate::groups::Groups;
use crate::layout::{GroupId, IndexMap, Segment};
use crate::operation::{Operation, Smoothness};
use crate::reshape::{Axis, reshape};
use crate::site::{Edge, FanIn, Site};

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
    finish(graph, &groups, &axes, &roles, &edges, &used);
}

impl<'a> Analysis<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut groups = Groups::default();
        let (mut axes, mut classes, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for value in &graph.values {
            let fixed = |value: &crate::graph::Value| {
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
                Origin::Constant { uniform: true } => (fixed(value), Class::Uniform, none),
                Origin::Constant { uniform: false } => (fixed(value), Class::Computed, none),
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

    fn lengths(&self, value: ValueId) -> Vec<usize> {
        let shape = &self.graph.values[value.0].shape;
        shape.iter().map(|size| size.at(self.graph.batch)).collect()
    }

    fn class_of(&self, node: &Node) -> Class {
        let of = |class| move |input: &ValueId| self.classes[input.0] == class;
        let all = |class| node.inputs.iter().all(of(class));
        if node.operation == Operation::Fill {
            return Class::Uniform;
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

    fn freeze(&mut self, segments: &[Segment], reason: &str) {
        self.groups.freeze(segments, &|| reason.to_owned());
    }

    fn freeze_value(&mut self, value: ValueId, reason: &str) {
        for segments in self.axes[value.0].clone() {
            self.freeze(&segments, reason);
        }
    }

    /// The axes of a node's output; ties, freezes and roles on the way.
    fn output_axes(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
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
            Operation::Convolution { groups, transposed } => {
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

    fn tie(&mut self, a: &[Segment], b: &[Segment], name: &str) {
        let reason = || format!("`{name}` joins them to places of fixed number");
        self.groups.tie(a, b, &reason);
    }

    /// Says that all parameters along an axis of a weight play `role`.
    fn role(&mut self, weight: ValueId, axis: usize, role: Role) {
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

    fn reads(&mut self, node: usize, value: ValueId, segments: &[Segment]) {
        let edge = Edge { node, value };
        self.edges.push((edge, segments.to_vec()));
    }

    fn elementwise(&mut self, node: &Node, adds: bool, lengths: &[usize]) -> Axes {
        let rank = lengths.len();
        let mut result: Axes = lengths.iter().map(|&n| vec![Segment::Fixed(n)]).collect();
        let is_data = self.classes[node.output.0] == Class::Data;
        for axis in 0..rank {
            let mut found: Option<(Vec<Segment>, bool)> = None;
            for &input in &node.inputs {
                let own = &self.axes[input.0];
                let Some(segments) = (axis + own.len()).checked_sub(rank).map(|a| own[a].clone())
                else {
                    continue;
                };
                let length: usize = segments.iter().map(Segment::length).sum();
                let channels = segments.iter().any(|s| s.group().is_some());
                if length != lengths[axis] {
                    // It cannot be repeated once it is several.
                    self.freeze(&segments, &format!("`{}` repeats it", node.name));
                    continue;
                }
                // One place beside a single channel is repeated once there are several.
                if length == 1 && !channels {
                    continue;
                }
                let uniform = self.classes[input.0] == Class::Uniform;
                found = Some(match found {
                    // One number everywhere can be had in any width.
                    None => (segments, uniform && !channels),
                    Some((_, true)) => (segments, uniform),
                    Some(known) if uniform && !channels => known,
                    Some((known, false)) => {
                        self.tie(&known, &segments, &node.name);
                        let has = |s: &[Segment]| s.iter().any(|s| s.group().is_some());
                        (if has(&known) { known } else { segments }, false)
                    }
                });
            }
            if let Some((segments, _)) = found {
                result[axis] = segments;
            }
        }
        if adds && is_data {
            for &input in &node.inputs {
                if self.classes[input.0] == Class::Weight {
                    self.added(node, input, &result);
                }
            }
        }
        result
    }

    /// A weight that is added to `sum`: a bias, if it varies along one axis only.
    fn added(&mut self, node: &Node, weight: ValueId, sum: &Axes) {
        let axes = &self.axes[weight.0];
        let missing = sum.len() - axes.len();
        let wide: Vec<usize> = (0..axes.len())
            .filter(|&a| axes[a].iter().map(Segment::length).sum::<usize>() != 1)
            .collect();
        let axis = match wide[..] {
            [axis] => axis,
            // Of a single channel.
            [] => {
                let has = |a: &usize| sum[missing + a].iter().any(|s| s.group().is_some());
                let Some(axis) = (0..axes.len()).rev().find(has) else {
                    return;
                };
                let along = self.single(weight, axis);
                self.tie(&sum[missing + axis], &along, &node.name);
                axis
            }
            _ => return,
        };
        self.role(weight, axis, Role::Bias);
    }

    /// The channels along an axis of a weight, one that is of length 1 as well: unlike the other
    /// axes of this length (the kernel of a pointwise convolution) it may grow.
    fn single(&mut self, weight: ValueId, axis: usize) -> Vec<Segment> {
        let segments = self.axes[weight.0][axis].clone();
        let places = self.places[weight.0][axis].clone();
        if segments != [Segment::Fixed(1)] || self.classes[weight.0] != Class::Weight {
            return segments;
        }
        let own = match places.first() {
            Some(&(parameter, axis)) => {
                let value = self.graph.parameters[parameter].value;
                self.axes[value.0][axis].clone()
            }
            None => return segments,
        };
        // Another use of the parameter may have asked before.
        let channel = match own.iter().any(|s| s.group().is_some()) {
            true => own,
            false => vec![Segment::Channels {
                group: self.groups.fresh(1),
                width: 1,
                spread: 1,
            }],
        };
        for (parameter, axis) in places {
            let value = self.graph.parameters[parameter].value;
            self.axes[value.0][axis].clone_from(&channel);
        }
        self.axes[weight.0][axis].clone_from(&channel);
        channel
    }

    /// Contracts axis `at` of `x` with axis `axis` of `weight`.
    fn contract(&mut self, index: usize, node: &Node, x: (ValueId, usize), w: (ValueId, usize)) {
        let (mut along, mut with) = (self.single(x.0, x.1), self.single(w.0, w.1));
        let name = node.name.clone();
        let classes = (self.classes[x.0.0], self.classes[w.0.0]);
        let (data, weight) = match classes {
            (Class::Data, Class::Weight) => (x, w),
            (Class::Weight, Class::Data) => {
                std::mem::swap(&mut along, &mut with);
                (w, x)
            }
            (Class::Data, Class::Data) => {
                for segments in [&along, &with] {
                    self.freeze(segments, &format!("`{name}` sums them over both operands"));
                }
                return;
            }
            _ => {
                for segments in [&along, &with] {
                    self.freeze(
                        segments,
                        &format!("`{name}` reads them by a computed weight"),
                    );
                }
                return;
            }
        };
        self.groups.tie(&along, &with, &|| {
            format!("`{name}` reads them beside places of fixed number")
        });
        self.role(weight.0, weight.1, Role::Reader);
        self.reads(index, data.0, &along);
    }

    /// The axis of a weight along which it makes channels.
    fn produce(&mut self, node: &Node, weight: ValueId, axis: usize) -> Vec<Segment> {
        let segments = self.single(weight, axis);
        match self.classes[weight.0] {
            Class::Weight => self.role(weight, axis, Role::Producer),
            Class::Computed => {
                let reason = format!("`{}` makes them by a computed weight", node.name);
                self.freeze(&segments, &reason);
            }
            Class::Data | Class::Uniform => {}
        }
        segments
    }

    fn matmul(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
        let fixed: Axes = lengths.iter().map(|&n| vec![Segment::Fixed(n)]).collect();
        let [a, b] = node.inputs[..] else {
            return fixed;
        };
        let (ra, rb, rank) = (self.axes[a.0].len(), self.axes[b.0].len(), lengths.len());
        if ra < 2 || rb < 2 || rank < 2 {
            self.freeze_value(a, "a product of vectors reads them");
            self.freeze_value(b, "a product of vectors reads them");
            return fixed;
        }
        let mut result = fixed;
        for axis in 0..rank - 2 {
            let of = |this: &Self, v: ValueId, r: usize| {
                let at = (axis + r).checked_sub(rank)?;
                let segments = this.axes[v.0][at].clone();
                let length: usize = segments.iter().map(Segment::length).sum();
                (length == lengths[axis] && length != 1).then_some(segments)
            };
            match (of(self, a, ra), of(self, b, rb)) {
                (Some(x), Some(y)) => {
                    self.tie(&x, &y, &node.name);
                    result[axis] = x;
                }
                (Some(x), None) | (None, Some(x)) => result[axis] = x,
                (None, None) => {}
            }
        }
        self.contract(index, node, (a, ra - 1), (b, rb - 2));
        result[rank - 2] = self.produce(node, a, ra - 2);
        result[rank - 1] = self.produce(node, b, rb - 1);
        result
    }

    fn linear(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
        let (x, weight) = (node.inputs[0], node.inputs[1]);
        let last = self.axes[x.0].len().saturating_sub(1);
        self.contract(index, node, (x, last), (weight, 0));
        let made = self.produce(node, weight, 1);
        if let Some(&bias) = node.inputs.get(2) {
            self.bias(node, bias, &made);
        }
        let mut axes = self.axes[x.0].clone();
        axes.truncate(last);
        axes.push(made);
        axes.truncate(lengths.len());
        axes
    }

    fn bias(&mut self, node: &Node, bias: ValueId, made: &[Segment]) {
        let last = self.axes[bias.0].len() - 1;
        let along = self.single(bias, last);
        self.tie(made, &along, &node.name);
        if self.classes[bias.0] == Class::Weight {
            self.role(bias, last, Role::Bias);
        }
    }

    fn convolution(
        &mut self,
        index: usize,
        node: &Node,
        count: usize,
        transposed: bool,
        lengths: &[usize],
    ) -> Axes {
        let (x, weight) = (node.inputs[0], node.inputs[1]);
        let fixed: Axes = lengths.iter().map(|&n| vec![Segment::Fixed(n)]).collect();
        if self.axes[x.0].len() < 2 || self.axes[weight.0].len() < 2 || count == 0 {
            return fixed;
        }
        let channels = self.axes[x.0][1].clone();
        let w: [Vec<Segment>; 2] = [0, 1].map(|axis| self.axes[weight.0][axis].clone());
        let wide = |segments: &[Segment]| segments.iter().map(Segment::length).sum::<usize>();
        let made;
        if count > 1 && !transposed && wide(&w[1]) == 1 {
            // Depthwise: output channels are input channels, each perhaps several times.
            let times = wide(&w[0]) / count;
            let spread: Vec<_> = channels.iter().map(|s| s.spread_by(times)).collect();
            self.tie(&w[0], &spread, &node.name);
            if self.classes[weight.0] == Class::Weight {
                self.role(weight, 0, Role::Kernel);
            }
            made = w[0].clone();
        } else if count > 1 {
            // Every group is widened alike: one channel is one of each group. One axis of the
            // weight counts those of all groups, the other those of one.
            let (all, one) = (w[0].clone(), w[1].repeat(count));
            let part = self.groups.axis(wide(&all) / count).repeat(count);
            self.tie(&all, &part, &node.name);
            let read;
            (made, read) = if transposed { (one, all) } else { (all, one) };
            self.tie(&channels, &read, &node.name);
            self.role(weight, usize::from(!transposed), Role::Reader);
            self.reads(index, x, &channels);
            self.produce(node, weight, usize::from(transposed));
        } else {
            let [maker, reader] = if transposed { [1, 0] } else { [0, 1] };
            self.contract(index, node, (x, 1), (weight, reader));
            made = self.produce(node, weight, maker);
        }
        if let Some(&bias) = node.inputs.get(2) {
            self.bias(node, bias, &made);
        }
        for segments in self.axes[x.0].clone().split_off(2) {
            self.freeze(&segments, &format!("`{}` slides over them", node.name));
        }
        let mut result = fixed;
        result[0] = self.axes[x.0][0].clone();
        result[1] = made;
        result
    }

    fn reshaped(&mut self, node: &Node, x: ValueId, lengths: &[usize]) -> Axes {
        let value = &self.graph.values[x.0];
        let sizes = value.shape.iter();
        let from: Vec<Axis> = sizes
            .zip(&self.axes[x.0])
            .map(|(size, segments)| Axis {
                segments: segments.clone(),
                length: size.at(self.graph.batch),
                of_batch: size.per_sample != 0,
            })
            .collect();
        let reason = || "a reshape takes their places apart".to_owned();
        let axes = reshape(&mut self.groups, &from, lengths, &reason);
        // A weight's places go with the axes that keep their length, else to all.
        let old: Vec<usize> = (0..from.len()).filter(|&a| from[a].length != 1).collect();
        let new: Vec<usize> = (0..lengths.len()).filter(|&a| lengths[a] != 1).collect();
        let same = old.len() == new.len()
            && old
                .iter()
                .zip(&new)
                .all(|(&o, &n)| from[o].length == lengths[n]);
        let all: Places = self.places[x.0].iter().flatten().copied().collect();
        let mut places = vec![Places::new(); lengths.len()];
        for (index, &axis) in new.iter().enumerate() {
            places[axis] = match same {
                true => self.places[x.0][old[index]].clone(),
                false => all.clone(),
            };
        }
        // One number alone may be of a single channel, which broadcasting has last.
        if let (true, true, Some(to), Some(old)) = (
            old.is_empty(),
            new.is_empty(),
            places.last_mut(),
            self.places[x.0].last(),
        ) {
            to.clone_from(old);
        }
        // Those of a single channel go where it goes.
        for (to, segments) in places.iter_mut().zip(&axes) {
            let single = segments.iter().any(|s| s.group().is_some()) && to.is_empty();
            let old = from
                .iter()
                .position(|axis| single && axis.segments == *segments);
            if let Some(old) = old {
                to.clone_from(&self.places[x.0][old]);
            }
        }
        self.places[node.output.0] = places;
        axes
    }

    /// The places of a weight whose axes come in another order.
    fn move_places(&mut self, node: &Node, order: &[usize]) {
        let old = self.places[node.inputs[0].0].clone();
        let moved = order
            .iter()
            .map(|&a| old.get(a).cloned().unwrap_or_default());
        self.places[node.output.0] = moved.collect();
    }

    fn sliced(
        &mut self,
        segments: &[Segment],
        start: usize,
        end: usize,
        step: usize,
        name: &str,
    ) -> Vec<Segment> {
        let length: usize = segments.iter().map(Segment::length).sum();
        if step == 1 && start == 0 && end >= length {
            return segments.to_vec();
        }
        let taken = end.saturating_sub(start).div_ceil(step.max(1));
        let fixed = vec![Segment::Fixed(taken)];
        if segments.iter().all(|s| s.group().is_none()) {
            return fixed;
        }
        let part = (step == 1).then(|| {
            let (_, after) = self.groups.cut(segments, start)?;
            Some(self.groups.cut(&after, end - start)?.0)
        });
        match part.flatten() {
            Some(part) => part,
            None => {
                self.freeze(segments, &format!("`{name}` cuts through them"));
                fixed
            }
        }
    }

    fn concatenate(&mut self, node: &Node, axis: usize, lengths: &[usize]) -> Axes {
        let mut result = self.axes[node.inputs[0].0].clone();
        let mut joined = Vec::new();
        for (index, &input) in node.inputs.iter().enumerate() {
            let axes = self.axes[input.0].clone();
            for (at, segments) in axes.iter().enumerate() {
                if at == axis {
                    joined.extend_from_slice(segments);
                } else if index > 0 {
                    let known = result[at].clone();
                    self.tie(&known, segments, &node.name);
                }
            }
        }
        let mut places = vec![Places::new(); lengths.len()];
        for input in &node.inputs {
            for (to, from) in places.iter_mut().zip(&self.places[input.0]) {
                to.extend(from);
            }
        }
        self.places[node.output.0] = places;
        if let Some(segments) = result.get_mut(axis) {
            *segments = IndexMap::new(joined).segments;
        }
        result
    }

    fn embedding(&mut self, node: &Node, lengths: &[usize]) -> Axes {
        let table = node.inputs[0];
        let rows = self.axes[table.0][0].clone();
        self.freeze(&rows, "they are the rows of a table");
        let made = self.produce(node, table, 1);
        let indices = node.inputs.get(1).map(|value| self.axes[value.0].clone());
        let mut axes = indices.unwrap_or_default();
        axes.truncate(lengths.len().saturating_sub(1));
        axes.push(made);
        axes
    }
}

/// Writes index maps, roles and sites.
fn finish(
    graph: &mut Graph,
    groups: &Groups,
    axes: &[Axes],
    roles: &BTreeMap<(usize, usize), Role>,
    edges: &[(Edge, Vec<Segment>)],
    used: &[(usize, usize)],
) {
    let along = |parameter: usize, axis: usize| {
        let value = graph.parameters[parameter].value;
        IndexMap::new(groups.resolve(&axes[value.0][axis]))
    };
    // Sites in the order in which their producers are used.
    let mut order: Vec<GroupId> = Vec::new();
    let mut fan_ins: HashMap<GroupId, Vec<FanIn>> = HashMap::new();
    let mut made: BTreeSet<GroupId> = BTreeSet::new();
    for &(parameter, axis) in used {
        let map = along(parameter, axis);
        let size: usize = graph.parameters[parameter].shape.iter().product();
        for group in map.groups() {
            let places = map.places(group, 0).len();
            let role = roles.get(&(parameter, axis));
            if role == Some(&Role::Producer) && made.insert(group) {
                order.push(group);
            }
            fan_ins.entry(group).or_default().push(FanIn {
                parameter,
                axis,
                size: size / map.length().max(1) * places,
            });
        }
    }
    let known: HashMap<GroupId, (usize, Option<String>)> = groups
        .roots()
        .map(|(group, width, frozen)| (group, (width, frozen.map(str::to_owned))))
        .collect();
    let number: HashMap<GroupId, GroupId> = order
        .iter()
        .enumerate()
        .map(|(index, &group)| (group, GroupId(index)))
        .collect();
    let renamed = |segments: &[Segment]| {
        let segments = groups.resolve(segments).into_iter();
        IndexMap::new(
            segments
                .map(|segment| match segment {
                    Segment::Channels {
                        group,
                        width,
                        spread,
                    } if number.contains_key(&group) => Segment::Channels {
                        group: number[&group],
                        width,
                        spread,
                    },
                    other => Segment::Fixed(other.length()),
                })
                .collect(),
        )
    };
    let maps: Vec<Vec<IndexMap>> = axes
        .iter()
        .map(|axes| axes.iter().map(|segments| renamed(segments)).collect())
        .collect();
    let mut sites: Vec<Site> = order
        .iter()
        .map(|group| {
            let (width, frozen) = known.get(group).cloned().unwrap_or_default();
            let mut fan_in = fan_ins.remove(group).unwrap_or_default();
            // A bias stands behind the weight it belongs to, in the order of use.
            let role = |part: &FanIn| roles.get(&(part.parameter, part.axis));
            let producers = fan_in.iter().filter(|p| role(p) == Some(&Role::Producer));
            let mut names: Vec<String> = producers
                .map(|part| graph.parameters[part.parameter].layer().to_owned())
                .collect();
            names.dedup();
            fan_in.dedup();
            Site {
                name: names.first().cloned().unwrap_or_default(),
                group: number[group],
                width,
                fan_in,
                producers: names,
                nodes: Vec::new(),
                edges: Vec::new(),
                smoothness: Smoothness::Exact,
                frozen,
            }
        })
        .collect();
    for (edge, segments) in edges {
        for group in renamed(segments).groups() {
            let site = &mut sites[group.0];
            if !site.edges.contains(edge) {
                site.edges.push(*edge);
            }
        }
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        let along: BTreeSet<GroupId> = maps[node.output.0]
            .iter()
            .flat_map(IndexMap::groups)
            .collect();
        for group in along {
            sites[group.0].nodes.push(index);
        }
    }
    for (&(parameter, axis), role) in roles {
        let parameter = &graph.parameters[parameter];
        if parameter.trained || *role == Role::Member {
            continue;
        }
        for group in maps[parameter.value.0][axis].groups() {
            let reason = || format!("its parameter `{}` is frozen", parameter.path);
            sites[group.0].frozen.get_or_insert_with(reason);
        }
    }
    for site in &mut sites {
        let smoothness = site.nodes.iter().map(|&node| graph.nodes[node].smoothness);
        site.smoothness = smoothness.max().unwrap_or_default();
        if site.edges.is_empty() {
            let reason = || "no layer reads it".into();
            site.frozen.get_or_insert_with(reason);
        }
    }
    name_apart(&mut sites);
    for (value, maps) in graph.values.iter_mut().zip(&maps) {
        value.axes.clone_from(maps);
    }
    for (index, parameter) in graph.parameters.iter_mut().enumerate() {
        parameter.axes.clone_from(&maps[parameter.value.0]);
        let axes = parameter.axes.iter().enumerate();
        parameter.roles = axes
            .map(|(axis, map)| {
                let member = map.has_channels().then_some(Role::Member);
                roles.get(&(index, axis)).copied().or(member)
            })
            .collect();
    }
    graph.sites = sites;
}

/// Several sites may come from one layer (a fused gate): they are numbered.
fn name_apart(sites: &mut [Site]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for site in sites {
        let count = seen.entry(site.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            site.name = format!("{}#{count}", site.name);
        }
    }
}
