//! Operations place by place.

use super::{Analysis, Axes, Class};
use crate::graph::{Node, Role};
use crate::layout::Segment;
use crate::value::ValueId;

impl Analysis<'_> {
    pub(super) fn elementwise(&mut self, node: &Node, adds: bool, lengths: &[usize]) -> Axes {
        let rank = lengths.len();
        let mut result: Axes = lengths.iter().map(|&n| vec![Segment::Fixed(n)]).collect();
        let is_data = self.classes[node.output.0] == Class::Data;
        for axis in 0..rank {
            let mut found: Option<Vec<Segment>> = None;
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
                found = Some(match found {
                    None => segments,
                    Some(known) => {
                        self.tie(&known, &segments, &node.name);
                        let has = |s: &[Segment]| s.iter().any(|s| s.group().is_some());
                        if has(&known) { known } else { segments }
                    }
                });
            }
            if let Some(segments) = found {
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
    pub(super) fn added(&mut self, node: &Node, weight: ValueId, sum: &Axes) {
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
    pub(super) fn single(&mut self, weight: ValueId, axis: usize) -> Vec<Segment> {
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
                columns: 1,
            }],
        };
        for (parameter, axis) in places {
            let value = self.graph.parameters[parameter].value;
            self.axes[value.0][axis].clone_from(&channel);
        }
        self.axes[weight.0][axis].clone_from(&channel);
        channel
    }
}
