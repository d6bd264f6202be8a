//! Index maps against lists of places written out one by one.

use proptest::prelude::*;

use super::*;

/// What lies at a place: the segment, the group, its channel, and which of its columns.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Label {
    segment: usize,
    channel: Option<(GroupId, usize, usize)>,
}

fn labels(map: &IndexMap) -> Vec<Label> {
    let mut all = Vec::new();
    for (number, segment) in map.segments.iter().enumerate() {
        match *segment {
            Segment::Fixed(length) => {
                for _ in 0..length {
                    all.push(Label {
                        segment: number,
                        channel: None,
                    });
                }
            }
            Segment::Channels {
                group,
                width,
                columns,
            } => {
                for channel in 0..width {
                    for column in 0..columns {
                        all.push(Label {
                            segment: number,
                            channel: Some((group, channel, column)),
                        });
                    }
                }
            }
        }
    }
    all
}

fn positions(all: &[Label], holds: impl Fn(&Label) -> bool) -> Vec<usize> {
    let numbered = all.iter().enumerate();
    numbered
        .filter(|(_, label)| holds(label))
        .map(|(place, _)| place)
        .collect()
}

/// Widths of the three groups that maps are made of.
const WIDTHS: [usize; 3] = [2, 3, 5];

fn segments() -> impl Strategy<Value = Segment> {
    let channels = (0_usize..3, 1_usize..4).prop_map(|(group, columns)| Segment::Channels {
        group: GroupId(group),
        width: WIDTHS[group],
        columns,
    });
    prop_oneof![3 => channels, 1 => (0_usize..5).prop_map(Segment::Fixed)]
}

fn maps() -> impl Strategy<Value = IndexMap> {
    prop::collection::vec(segments(), 0..6).prop_map(IndexMap::new)
}

/// Other widths for some of the groups.
fn widths() -> impl Strategy<Value = [Option<usize>; 3]> {
    let one = || proptest::option::of(1_usize..8);
    [one(), one(), one()]
}

fn with_widths(map: &IndexMap, widths: [Option<usize>; 3]) -> IndexMap {
    let mut grown = map.clone();
    for segment in &mut grown.segments {
        if let Segment::Channels { group, width, .. } = segment {
            *width = widths[group.0].unwrap_or(*width);
        }
    }
    grown
}

proptest! {
    #[test]
    fn joined_segments_hold_the_same_places(parts in prop::collection::vec(segments(), 0..8)) {
        let map = IndexMap::new(parts.clone());
        let channels = |map: &IndexMap| -> Vec<_> {
            labels(map).into_iter().map(|label| label.channel).collect()
        };
        prop_assert_eq!(channels(&map), channels(&IndexMap { segments: parts }));
        prop_assert_eq!(map.segments(), &map.segments[..]);
        prop_assert!(map.segments().iter().all(|segment| segment.length() > 0));
        let is_fixed = |segment: &Segment| matches!(segment, Segment::Fixed(_));
        prop_assert!(!map.segments().windows(2).any(|pair| pair.iter().all(is_fixed)));
    }

    #[test]
    fn places_are_counted(map in maps(), widths in widths(), asked in 0_usize..3) {
        let width = |group: GroupId| widths[group.0];
        let (now, after) = (labels(&map), labels(&with_widths(&map, widths)));
        prop_assert_eq!(map.length(), now.len());
        prop_assert_eq!(map.length_with(&width), after.len());
        prop_assert_eq!(map.has_channels(), now.iter().any(|label| label.channel.is_some()));
        let group = GroupId(asked);
        prop_assert_eq!(
            map.groups().contains(&group),
            now.iter().any(|label| label.channel.is_some_and(|(own, ..)| own == group))
        );
        for channel in 0..9 {
            let own = |label: &Label| {
                label.channel.is_some_and(|(found, number, _)| (found, number) == (group, channel))
            };
            prop_assert_eq!(map.places(group, channel), positions(&now, own));
            prop_assert_eq!(map.places_with(group, channel, &width), positions(&after, own));
        }
    }

    /// An edge goes with its segment, a place within a segment keeps its distance from that.
    #[test]
    fn places_move_with_their_segments(map in maps(), widths in widths()) {
        let width = |group: GroupId| widths[group.0];
        let (now, after) = (labels(&map), labels(&with_widths(&map, widths)));
        let start = |all: &[Label], segment: usize| {
            all.iter().filter(|label| label.segment < segment).count()
        };
        for (place, label) in now.iter().enumerate() {
            let distance = place - start(&now, label.segment);
            let expected = start(&after, label.segment) + distance;
            prop_assert_eq!(map.moved(place, &width), expected, "{}", place);
        }
        prop_assert_eq!(map.moved(now.len(), &width), after.len());
    }

    /// Each place after a change is that of the same column of the channel that it comes from.
    #[test]
    fn places_are_selected_channel_by_channel(
        map in maps(),
        sources in prop::collection::vec((0_usize..5, -2.0_f64..2.0, any::<bool>()), 0..7),
        changed in 0_usize..3,
    ) {
        let sources: Vec<Source> = sources
            .into_iter()
            .map(|(index, factor, is_new)| Source {
                index: index % WIDTHS[changed],
                factor,
                is_new,
            })
            .collect();
        let change = ChannelMap { sources: sources.clone() };
        let of = |group: GroupId| (group.0 == changed).then(|| change.clone());
        let now = labels(&map);
        let mut expected = Vec::new();
        for (number, segment) in map.segments.iter().enumerate() {
            let own = |wanted: Option<usize>| {
                positions(&now, |label| {
                    let channel = label.channel.map(|(_, channel, _)| channel);
                    label.segment == number && wanted.is_none_or(|one| channel == Some(one))
                })
            };
            if segment.group() == Some(GroupId(changed)) {
                for source in &sources {
                    let places = own(Some(source.index)).into_iter();
                    expected.extend(places.map(|index| Source { index, ..*source }));
                }
            } else {
                expected.extend(own(None).into_iter().map(|index| Source {
                    index,
                    factor: 1.0,
                    is_new: false,
                }));
            }
        }
        prop_assert_eq!(map.selected(&of), expected);
    }
}

#[test]
fn an_axis_of_channels_alone_is_plain() {
    let channels = |columns| Segment::Channels {
        group: GroupId(1),
        width: 3,
        columns,
    };
    let plain = |parts: Vec<Segment>| IndexMap::new(parts).plain();
    assert_eq!(plain(vec![channels(1)]), Some(GroupId(1)));
    assert_eq!(plain(vec![channels(2)]), None);
    assert_eq!(plain(vec![channels(1), channels(1)]), None);
    assert_eq!(plain(vec![channels(1), Segment::Fixed(1)]), None);
    assert_eq!(plain(vec![Segment::Fixed(3)]), None);
    assert_eq!(plain(Vec::new()), None);
}

#[test]
fn sources_say_what_becomes_of_a_slice() {
    let kept = Source {
        index: 4,
        factor: 1.0,
        is_new: false,
    };
    assert_eq!(Source::kept(4), kept);
    let half = Source {
        factor: 0.5,
        ..kept
    };
    assert_eq!(Source::copied(4, 0.5), half);
    let fresh = Source {
        factor: 0.0,
        is_new: true,
        ..kept
    };
    assert_eq!(Source::new_like(4), fresh);
    let same = ChannelMap::identity(3);
    assert_eq!(same.sources, [0, 1, 2].map(Source::kept));
    assert_eq!(GroupId(7).index(), 7);
}

#[test]
fn a_widened_segment_has_each_place_several_times() {
    let channels = Segment::Channels {
        group: GroupId(2),
        width: 5,
        columns: 3,
    };
    assert_eq!((channels.length(), Segment::Fixed(4).length()), (15, 4));
    assert_eq!(
        channels.widened_by(2),
        Segment::Channels {
            group: GroupId(2),
            width: 5,
            columns: 6,
        }
    );
    assert_eq!(Segment::Fixed(4).widened_by(3), Segment::Fixed(12));
    assert_eq!(channels.group(), Some(GroupId(2)));
    assert_eq!(Segment::Fixed(4).group(), None);
}
