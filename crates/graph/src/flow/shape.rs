//! Operations that put the same numbers elsewhere.

use super::{Analysis, Axes, Places};
use crate::graph::Node;
use crate::layout::{IndexMap, Segment};
use crate::reshape::{Axis, reshape};
use crate::value::ValueId;

impl Analysis<'_> {
    pub(super) fn reshaped(&mut self, node: &Node, x: ValueId, lengths: &[usize]) -> Axes {
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
    pub(super) fn move_places(&mut self, node: &Node, order: &[usize]) {
        let old = self.places[node.inputs[0].0].clone();
        let moved = order
            .iter()
            .map(|&a| old.get(a).cloned().unwrap_or_default());
        self.places[node.output.0] = moved.collect();
    }

    pub(super) fn sliced(
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

    pub(super) fn concatenate(&mut self, node: &Node, axis: usize, lengths: &[usize]) -> Axes {
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
}
