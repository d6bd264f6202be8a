//! How channels lie along an axis.

use std::collections::BTreeSet;

/// Channels that are widened together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub(crate) usize);

impl GroupId {
    /// Its place in [`Graph::sites`](crate::Graph::sites) once the graph is built.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A stretch of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// `width` channels of a group, each of `columns` places side by side.
    Channels {
        /// The group.
        group: GroupId,
        /// Number of channels.
        width: usize,
        /// Columns of one channel: the places that it takes (positions after flattening).
        columns: usize,
    },
    /// Places of no channel.
    Fixed(usize),
}

impl Segment {
    /// Places.
    pub fn length(&self) -> usize {
        match self {
            Self::Channels { width, columns, .. } => width * columns,
            Self::Fixed(length) => *length,
        }
    }

    /// Its group.
    pub fn group(&self) -> Option<GroupId> {
        match self {
            Self::Channels { group, .. } => Some(*group),
            Self::Fixed(_) => None,
        }
    }

    /// The same with each place repeated `times` side by side.
    pub(crate) fn widened_by(self, times: usize) -> Self {
        match self {
            Self::Channels {
                group,
                width,
                columns,
            } => Self::Channels {
                group,
                width,
                columns: columns * times,
            },
            Self::Fixed(length) => Self::Fixed(length * times),
        }
    }
}

/// Where a slice comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// The old slice. A new one takes from it what is not its own weights.
    pub index: usize,
    /// How much it counts where it is read.
    pub factor: f64,
    /// Whether it is new, and no copy.
    pub is_new: bool,
}

impl Source {
    /// The old slice as it is.
    pub fn kept(index: usize) -> Self {
        Self::copied(index, 1.0)
    }

    /// A copy that counts `factor` times as much.
    pub fn copied(index: usize, factor: f64) -> Self {
        Self {
            index,
            factor,
            is_new: false,
        }
    }

    /// A new slice.
    pub fn new_like(index: usize) -> Self {
        Self {
            index,
            factor: 0.0,
            is_new: true,
        }
    }
}

/// What becomes of one group's channels: where each new one comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMap {
    /// For each new channel.
    pub sources: Vec<Source>,
}

impl ChannelMap {
    /// All of `width` channels as they are.
    pub fn identity(width: usize) -> Self {
        Self {
            sources: (0..width).map(Source::kept).collect(),
        }
    }
}

/// An index map: which channel each place of an axis belongs to. Concatenation makes several
/// segments, flattening several columns a channel; channel-last flattening, groups and heads make
/// the same segment come back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexMap {
    pub(crate) segments: Vec<Segment>,
}

impl IndexMap {
    pub(crate) fn fixed(length: usize) -> Self {
        Self {
            segments: vec![Segment::Fixed(length)],
        }
    }

    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        let mut joined: Vec<Segment> = Vec::with_capacity(segments.len());
        for segment in segments {
            match (joined.last_mut(), segment) {
                (_, segment) if segment.length() == 0 => {}
                (Some(Segment::Fixed(length)), Segment::Fixed(more)) => *length += more,
                (_, segment) => joined.push(segment),
            }
        }
        Self { segments: joined }
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Places of the axis.
    pub fn length(&self) -> usize {
        self.segments.iter().map(Segment::length).sum()
    }

    /// Whether any place belongs to a channel.
    pub fn has_channels(&self) -> bool {
        self.segments.iter().any(|s| s.group().is_some())
    }

    /// The groups that lie along the axis.
    pub fn groups(&self) -> BTreeSet<GroupId> {
        self.segments.iter().filter_map(Segment::group).collect()
    }

    /// The group, if the axis holds its channels one by one and nothing else.
    pub fn plain(&self) -> Option<GroupId> {
        match self.segments[..] {
            [
                Segment::Channels {
                    group, columns: 1, ..
                },
            ] => Some(group),
            _ => None,
        }
    }

    /// Places of the axis once each group has as many channels as `width` says.
    pub fn length_with(&self, width: &dyn Fn(GroupId) -> Option<usize>) -> usize {
        let segments = self.segments.iter();
        segments.map(|segment| grown_length(segment, width)).sum()
    }

    /// Where `place`, the edge of a segment or a place within one, lies once groups have other
    /// widths: edges go with their segments.
    pub fn moved(&self, place: usize, width: &dyn Fn(GroupId) -> Option<usize>) -> usize {
        let (mut before, mut after) = (0, 0);
        for segment in &self.segments {
            if place <= before {
                break;
            }
            let length = segment.length();
            if place < before + length {
                return after + (place - before);
            }
            before += length;
            after += grown_length(segment, width);
        }
        after
    }

    /// The places of one channel of `group`, in order.
    pub fn places(&self, group: GroupId, channel: usize) -> Vec<usize> {
        let (mut start, mut places) = (0, Vec::new());
        for segment in &self.segments {
            if let Segment::Channels {
                group: found,
                width,
                columns,
            } = *segment
                && found == group
                && channel < width
            {
                let first = start + channel * columns;
                places.extend(first..first + columns);
            }
            start += segment.length();
        }
        places
    }

    /// As [`places`](Self::places), once groups have these widths.
    pub fn places_with(
        &self,
        group: GroupId,
        channel: usize,
        width: &dyn Fn(GroupId) -> Option<usize>,
    ) -> Vec<usize> {
        let grown = self.segments.iter().map(|segment| match *segment {
            Segment::Channels {
                group,
                width: old,
                columns,
            } => Segment::Channels {
                group,
                width: width(group).unwrap_or(old),
                columns,
            },
            fixed => fixed,
        });
        let grown = Self {
            segments: grown.collect(),
        };
        grown.places(group, channel)
    }

    /// For each place after `map` (of the groups that change) where it comes from.
    pub fn selected(&self, map: &dyn Fn(GroupId) -> Option<ChannelMap>) -> Vec<Source> {
        let (mut start, mut places) = (0, Vec::new());
        for segment in &self.segments {
            let changed = segment.group().and_then(map);
            match (*segment, changed) {
                (Segment::Channels { columns, .. }, Some(map)) => {
                    for source in &map.sources {
                        let first = start + source.index * columns;
                        let of_place = |index| Source { index, ..*source };
                        places.extend((first..first + columns).map(of_place));
                    }
                }
                (segment, _) => {
                    places.extend((start..start + segment.length()).map(Source::kept));
                }
            }
            start += segment.length();
        }
        places
    }
}

fn grown_length(segment: &Segment, width: &dyn Fn(GroupId) -> Option<usize>) -> usize {
    match *segment {
        Segment::Channels {
            group,
            width: old,
            columns,
        } => width(group).unwrap_or(old) * columns,
        Segment::Fixed(length) => length,
    }
}

#[cfg(test)]
mod tests;
