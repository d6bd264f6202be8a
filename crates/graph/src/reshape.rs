//! Channels through a change of shape.

use crate::groups::Groups;
use crate::layout::{IndexMap, Segment};

/// One axis as it is reshaped.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub segments: Vec<Segment>,
    pub length: usize,
    /// Whether its length depends on the batch.
    pub of_batch: bool,
}

impl Axis {
    fn fixed(length: usize, of_batch: bool) -> Self {
        Self {
            segments: vec![Segment::Fixed(length)],
            length,
            of_batch,
        }
    }

    fn has_channels(&self) -> bool {
        self.segments.iter().any(|s| s.group().is_some())
    }
}

/// The axes of `from` in the lengths `to`. Channels whose places would be torn apart are frozen
/// for `reason`.
pub(crate) fn reshape(
    groups: &mut Groups,
    from: &[Axis],
    to: &[usize],
    reason: &dyn Fn() -> String,
) -> Vec<Vec<Segment>> {
    let mut result = vec![vec![Segment::Fixed(1)]; to.len()];
    let matters = |axis: &&Axis| axis.length != 1 || axis.has_channels();
    let olds: Vec<&Axis> = from.iter().filter(matters).collect();
    let news: Vec<usize> = (0..to.len()).filter(|&index| to[index] != 1).collect();
    let rows = from.first().is_some_and(|axis| axis.of_batch) && from.len() == 2;
    let (mut i, mut o) = (0, 0);
    // Axes of length 1 up to here are taken.
    let mut taken = 0;
    while i < olds.len() {
        if olds[i].length == 1 {
            // A single channel goes to an axis of length 1 where it stands, else to the next one.
            let end = news.get(o).copied().unwrap_or(to.len());
            let place = match o {
                0 if i == 0 => end.checked_sub(1).filter(|place| *place >= taken),
                _ => (taken < end).then_some(taken),
            };
            if let Some(place) = place {
                result[place].clone_from(&olds[i].segments);
                taken = place + 1;
                i += 1;
                continue;
            }
        }
        if o >= news.len() {
            break;
        }
        let (first, start) = (i, o);
        let (mut before, mut after) = (olds[i].length, to[news[o]]);
        i += 1;
        o += 1;
        while before != after {
            if before < after && i < olds.len() {
                before *= olds[i].length;
                i += 1;
            } else if before > after && o < news.len() {
                after *= to[news[o]];
                o += 1;
            } else {
                break;
            }
        }
        let mut merged = olds[first].clone();
        for axis in &olds[first + 1..i] {
            merged = merge(groups, merged, axis, reason);
        }
        for (step, &index) in news[start..o].iter().enumerate() {
            if step + 1 == o - start {
                result[index] = std::mem::take(&mut merged.segments);
                break;
            }
            let outer = to[index];
            let inner = merged.length / outer.max(1);
            let (left, right) = split(groups, merged, [outer, inner], rows, reason);
            result[index] = left;
            merged = right;
        }
        taken = news[o - 1] + 1;
    }
    // Shapes of other sizes than they should have keep no channel.
    for axis in olds.iter().skip(i) {
        groups.freeze(&axis.segments, reason);
    }
    for (index, segments) in result.iter_mut().enumerate() {
        let length: usize = segments.iter().map(Segment::length).sum();
        if length != to[index] {
            groups.freeze(segments, reason);
            *segments = vec![Segment::Fixed(to[index])];
        }
    }
    result
}

/// Two neighbouring axes as one.
fn merge(groups: &mut Groups, outer: Axis, inner: &Axis, reason: &dyn Fn() -> String) -> Axis {
    let length = outer.length * inner.length;
    let of_batch = outer.of_batch || inner.of_batch;
    let segments = match (outer.has_channels(), inner.has_channels()) {
        (false, false) => vec![Segment::Fixed(length)],
        (true, false) if !inner.of_batch => {
            let columns = outer.segments.iter();
            columns.map(|s| s.widened_by(inner.length)).collect()
        }
        (false, true) if !outer.of_batch => inner.segments.repeat(outer.length),
        _ => {
            groups.freeze(&outer.segments, reason);
            groups.freeze(&inner.segments, reason);
            vec![Segment::Fixed(length)]
        }
    };
    Axis {
        segments,
        length,
        of_batch,
    }
}

/// One axis as two of the lengths `[outer, inner]`.
fn split(
    groups: &mut Groups,
    axis: Axis,
    [outer, inner]: [usize; 2],
    by_outer: bool,
    reason: &dyn Fn() -> String,
) -> (Vec<Segment>, Axis) {
    let fixed = |of_batch| (vec![Segment::Fixed(outer)], Axis::fixed(inner, of_batch));
    if !axis.has_channels() {
        // Which of the two holds the batch does not matter: neither has channels.
        return fixed(axis.of_batch);
    }
    let segments = IndexMap::new(groups.resolve(&axis.segments)).segments;
    let as_inner = |segments: Vec<Segment>| {
        let axis = Axis {
            segments,
            length: inner,
            of_batch: false,
        };
        (vec![Segment::Fixed(outer)], axis)
    };
    if let Some(part) = repeated(&segments, inner) {
        return as_inner(part);
    }
    let divides = |segment: &Segment| match segment {
        Segment::Channels { columns, .. } => columns % inner == 0,
        Segment::Fixed(length) => length % inner == 0,
    };
    if segments.iter().all(divides) {
        let narrowed = segments.iter().map(|segment| match *segment {
            Segment::Channels {
                group,
                width,
                columns,
            } => Segment::Channels {
                group,
                width,
                columns: columns / inner,
            },
            Segment::Fixed(length) => Segment::Fixed(length / inner),
        });
        return (narrowed.collect(), Axis::fixed(inner, false));
    }
    if let [
        Segment::Channels {
            group,
            width,
            columns,
        },
    ] = segments[..]
    {
        let parts = inner / columns;
        if columns == 1 && by_outer {
            groups.divide(group, outer, inner, true);
            return split(groups, axis, [outer, inner], by_outer, reason);
        }
        if inner % columns == 0 && width % parts == 0 {
            groups.divide(group, outer, parts, false);
            return split(groups, axis, [outer, inner], by_outer, reason);
        }
    }
    groups.freeze(&segments, reason);
    fixed(axis.of_batch)
}

/// The first `length` places, if `segments` are nothing but those again and again.
fn repeated(segments: &[Segment], length: usize) -> Option<Vec<Segment>> {
    let mut sum = 0;
    let count = segments.iter().position(|segment| {
        sum += segment.length();
        sum >= length
    })? + 1;
    let whole = sum == length && segments.len().is_multiple_of(count);
    let part = &segments[..count];
    (whole && segments.chunks_exact(count).all(|chunk| chunk == part)).then(|| part.to_vec())
}

#[cfg(test)]
mod tests;
