//! Union-find over groups of channels that may turn out to be made of each other.

use crate::layout::{GroupId, Segment};

/// What is known of a group.
#[derive(Debug, Clone)]
enum Entry {
    /// It stands for itself.
    Root {
        width: usize,
        frozen: Option<String>,
    },
    /// Its channels are these of other groups.
    Alias(Vec<Segment>),
}

/// All groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups(Vec<Entry>);

impl Groups {
    pub fn fresh(&mut self, width: usize) -> GroupId {
        self.0.push(Entry::Root {
            width,
            frozen: None,
        });
        GroupId(self.0.len() - 1)
    }

    /// An axis of `length` channels of a group of its own.
    pub fn axis(&mut self, length: usize) -> Vec<Segment> {
        if length <= 1 {
            return vec![Segment::Fixed(length)];
        }
        vec![Segment::Channels {
            group: self.fresh(length),
            width: length,
            columns: 1,
        }]
    }

    /// `segments` in terms of groups that stand for themselves.
    pub fn resolve(&self, segments: &[Segment]) -> Vec<Segment> {
        let mut resolved = Vec::with_capacity(segments.len());
        for segment in segments {
            match (segment, segment.group().map(|group| &self.0[group.0])) {
                (Segment::Channels { columns, .. }, Some(Entry::Alias(parts))) => {
                    let parts: Vec<_> =
                        parts.iter().map(|part| part.widened_by(*columns)).collect();
                    resolved.extend(self.resolve(&parts));
                }
                _ => resolved.push(*segment),
            }
        }
        resolved
    }

    /// The groups that stand for themselves, with width and reason why they are frozen.
    pub fn roots(&self) -> impl Iterator<Item = (GroupId, usize, Option<&str>)> {
        self.0.iter().enumerate().filter_map(|(index, entry)| {
            let Entry::Root { width, frozen } = entry else {
                return None;
            };
            Some((GroupId(index), *width, frozen.as_deref()))
        })
    }

    /// Freezes all groups of `segments`; the first reason stays.
    pub fn freeze(&mut self, segments: &[Segment], reason: &dyn Fn() -> String) {
        for segment in self.resolve(segments) {
            let Some(group) = segment.group() else {
                continue;
            };
            if let Entry::Root { frozen, .. } = &mut self.0[group.0] {
                frozen.get_or_insert_with(reason);
            }
        }
    }

    fn is_root(&self, group: GroupId) -> bool {
        matches!(self.0[group.0], Entry::Root { .. })
    }

    /// Makes `group`, which stands for itself, consist of `parts`.
    fn replace(&mut self, group: GroupId, parts: Vec<Segment>) {
        let within = |segment: &Segment| segment.group() == Some(group);
        if parts.iter().any(within) || !self.is_root(group) {
            return;
        }
        let old = std::mem::replace(&mut self.0[group.0], Entry::Alias(parts.clone()));
        if let Entry::Root {
            frozen: Some(reason),
            ..
        } = old
        {
            self.freeze(&parts, &|| reason.clone());
        }
    }

    /// Cuts resolved `segments` at `place`, dividing a group of channels in two where the cut
    /// falls within it; `None` where it falls within a channel.
    pub fn cut(
        &mut self,
        segments: &[Segment],
        place: usize,
    ) -> Option<(Vec<Segment>, Vec<Segment>)> {
        let mut segments = self.resolve(segments);
        let mut start = 0;
        for index in 0..segments.len() {
            let length = segments[index].length();
            if place == start {
                let after = segments.split_off(index);
                return Some((segments, after));
            }
            if place < start + length {
                let inside = place - start;
                match segments[index] {
                    Segment::Fixed(length) => {
                        let after = segments.split_off(index + 1);
                        segments[index] = Segment::Fixed(inside);
                        let mut rest = vec![Segment::Fixed(length - inside)];
                        rest.extend(after);
                        return Some((segments, rest));
                    }
                    Segment::Channels {
                        group,
                        width,
                        columns,
                    } => {
                        if !inside.is_multiple_of(columns) {
                            return None;
                        }
                        let first = inside / columns;
                        let mut parts = self.axis_of(first);
                        parts.extend(self.axis_of(width - first));
                        self.replace(group, parts);
                        return self.cut(&segments, place);
                    }
                }
            }
            start += length;
        }
        Some((segments, Vec::new()))
    }

    /// As [`axis`](Self::axis), of a single channel too.
    fn axis_of(&mut self, width: usize) -> Vec<Segment> {
        vec![Segment::Channels {
            group: self.fresh(width),
            width,
            columns: 1,
        }]
    }

    /// Divides a group of `outer · inner` channels: of `outer` channels that take `inner`
    /// places each, or of `inner` channels that come back `outer` times.
    pub fn divide(&mut self, group: GroupId, outer: usize, inner: usize, by_outer: bool) {
        let parts = if by_outer {
            vec![Segment::Channels {
                group: self.fresh(outer),
                width: outer,
                columns: inner,
            }]
        } else {
            let part = Segment::Channels {
                group: self.fresh(inner),
                width: inner,
                columns: 1,
            };
            vec![part; outer]
        };
        self.replace(group, parts);
    }

    /// Says that two axes of equal length hold the same channels. Where that cannot be, or one
    /// of them holds none, the channels are frozen for `reason`.
    pub fn tie(&mut self, a: &[Segment], b: &[Segment], reason: &dyn Fn() -> String) {
        let (mut a, mut b) = (self.resolve(a), self.resolve(b));
        while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
            let (long, short) = (x.length().max(y.length()), x.length().min(y.length()));
            if long != short {
                let longer = if x.length() > y.length() {
                    &mut a
                } else {
                    &mut b
                };
                let Some((head, tail)) = self.cut(longer, short) else {
                    self.freeze(&a, reason);
                    self.freeze(&b, reason);
                    return;
                };
                *longer = head.into_iter().chain(tail).collect();
                // The cut may have changed what the other is made of.
                (a, b) = (self.resolve(&a), self.resolve(&b));
                continue;
            }
            self.tie_segments(x, y, reason);
            (a, b) = (self.resolve(&a[1..]), self.resolve(&b[1..]));
        }
    }

    fn tie_segments(&mut self, x: Segment, y: Segment, reason: &dyn Fn() -> String) {
        let (
            Segment::Channels {
                group: g,
                columns: s,
                ..
            },
            Segment::Channels {
                group: h,
                columns: t,
                ..
            },
        ) = (x, y)
        else {
            self.freeze(&[x, y], reason);
            return;
        };
        if g == h && s == t {
            return;
        }
        // The one of more columns has the fewer channels, of which the other's are parts.
        let (coarse, fine, ratio) = match (s, t) {
            _ if s % t == 0 => (x, h, s / t),
            _ if t % s == 0 => (y, g, t / s),
            _ => {
                self.freeze(&[x, y], reason);
                return;
            }
        };
        if g == h {
            self.freeze(&[x, y], reason);
            return;
        }
        if let Segment::Channels { group, width, .. } = coarse {
            let part = Segment::Channels {
                group,
                width,
                columns: ratio,
            };
            self.replace(fine, vec![part]);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
