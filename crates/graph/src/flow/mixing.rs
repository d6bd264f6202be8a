//! Operations that mix channels.

use super::{Analysis, Axes, Class};
use crate::graph::{Node, Role};
use crate::layout::Segment;
use crate::value::ValueId;

impl Analysis<'_> {
    /// Contracts axis `at` of `x` with axis `axis` of `weight`.
    pub(super) fn contract(
        &mut self,
        index: usize,
        node: &Node,
        x: (ValueId, usize),
        w: (ValueId, usize),
    ) {
        let (mut along, mut with) = (self.single(x.0, x.1), self.single(w.0, w.1));
        let name = node.name.clone();
        let classes = (self.classes[x.0.0], self.classes[w.0.0]);
        let (data, weight) = match classes {
            (Class::Data | Class::Uniform, Class::Weight) => (x, w),
            (Class::Weight, Class::Data | Class::Uniform) => {
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
        // The first state of a recurrence is read, but no layer makes it.
        if !self.is_fill(data.0) {
            self.reads(index, data.0, &along);
        }
    }

    /// The axis of a weight along which it makes channels.
    pub(super) fn produce(&mut self, node: &Node, weight: ValueId, axis: usize) -> Vec<Segment> {
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

    pub(super) fn matmul(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
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

    pub(super) fn linear(&mut self, index: usize, node: &Node, lengths: &[usize]) -> Axes {
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

    pub(super) fn bias(&mut self, node: &Node, bias: ValueId, made: &[Segment]) {
        let last = self.axes[bias.0].len() - 1;
        let along = self.single(bias, last);
        self.tie(made, &along, &node.name);
        if self.classes[bias.0] == Class::Weight {
            self.role(bias, last, Role::Bias);
        }
    }

    pub(super) fn convolution(
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
            let columns: Vec<_> = channels.iter().map(|s| s.widened_by(times)).collect();
            self.tie(&w[0], &columns, &node.name);
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

    pub(super) fn embedding(&mut self, node: &Node, lengths: &[usize]) -> Axes {
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
