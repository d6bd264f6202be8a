//! Groups against lists of places written out one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The channel at a place: its group, and its number there.
pub(crate) type Label = Option<(GroupId, usize)>;

/// The channel at each place, in terms of groups that stand for themselves.
pub(crate) fn labels(groups: &Groups, segments: &[Segment]) -> Vec<Label> {
    let mut all = Vec::new();
    for segment in groups.resolve(segments) {
        match segment {
            Segment::Fixed(length) => all.extend(std::iter::repeat_n(None, length)),
            Segment::Channels {
                group,
                width,
                columns,
            } => {
                for channel in 0..width {
                    all.extend(std::iter::repeat_n(Some((group, channel)), columns));
                }
            }
        }
    }
    all
}

/// The groups that stand for themselves and are frozen.
pub(crate) fn frozen(groups: &Groups) -> BTreeSet<GroupId> {
    let roots = groups.roots();
    let frozen = roots.filter(|(_, _, reason)| reason.is_some());
    frozen.map(|(group, ..)| group).collect()
}

/// Groups of two to six channels, and axes of twelve places: stretches of them.
fn axes() -> impl Strategy<Value = (Groups, [Vec<Segment>; 2])> {
    let stretch = (0_usize..6, 1_usize..4, any::<bool>());
    let axis = || prop::collection::vec(stretch.clone(), 1..5);
    [axis(), axis()].prop_map(|stretches| {
        let mut groups = Groups::default();
        for width in 1..=6 {
            groups.fresh(width);
        }
        let axes = stretches.map(|stretches| {
            let (mut axis, mut left) = (Vec::new(), 12);
            for (group, columns, is_fixed) in stretches {
                let segment = match is_fixed && columns == 1 {
                    true => Segment::Fixed(group + 1),
                    false => channels(GroupId(group), group + 1, columns),
                };
                if segment.length() <= left {
                    left -= segment.length();
                    axis.push(segment);
                }
            }
            if left > 0 {
                // One more group, as wide as what is left.
                axis.push(channels(groups.fresh(left), left, 1));
            }
            axis
        });
        (groups, axes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever is tied is the same channel from then on, or cannot grow.
    #[test]
    fn tied_places_hold_the_same_channel((mut groups, [a, b]) in axes()) {
        groups.tie(&a, &b, &|| "tied".into());
        let (ours, theirs) = (labels(&groups, &a), labels(&groups, &b));
        prop_assert_eq!((ours.len(), theirs.len()), (12, 12));
        let frozen = frozen(&groups);
        for (one, other) in ours.iter().zip(&theirs) {
            let can_grow = |label: &Label| label.is_some_and(|(group, _)| !frozen.contains(&group));
            if can_grow(one) || can_grow(other) {
                prop_assert_eq!(one, other);
            }
        }
    }

    /// A cut leaves all places where they are, and is refused within a channel alone.
    #[test]
    fn cuts_are_between_channels((mut groups, [axis, _]) in axes(), place in 0_usize..=12) {
        let before = groups.resolve(&axis);
        let mut start = 0;
        let mut is_within = false;
        for segment in &before {
            if let Segment::Channels { columns, .. } = segment
                && place > start
                && place < start + segment.length()
            {
                is_within = (place - start) % columns != 0;
            }
            start += segment.length();
        }
        match groups.cut(&axis, place) {
            None => {
                prop_assert!(is_within);
                prop_assert_eq!(groups.resolve(&axis), before);
            }
            Some((left, right)) => {
                prop_assert!(!is_within);
                let (left, right) = (labels(&groups, &left), labels(&groups, &right));
                prop_assert_eq!(left.len(), place);
                prop_assert_eq!([left, right].concat(), labels(&groups, &axis));
            }
        }
    }

    /// Whatever a group comes to consist of, it stays frozen.
    #[test]
    fn what_is_frozen_stays_frozen((mut groups, [a, b]) in axes(), which in 0_usize..6) {
        let group = [channels(GroupId(which), which + 1, 1)];
        groups.freeze(&group, &|| "first".into());
        groups.freeze(&group, &|| "second".into());
        let roots: Vec<_> = groups.roots().filter_map(|(_, _, reason)| reason).collect();
        prop_assert_eq!(roots, ["first"]);
        groups.tie(&a, &b, &|| "tied".into());
        let frozen = frozen(&groups);
        for label in labels(&groups, &group) {
            let (own, _) = label.expect("a channel");
            prop_assert!(frozen.contains(&own));
        }
    }
}

fn channels(group: GroupId, width: usize, columns: usize) -> Segment {
    Segment::Channels {
        group,
        width,
        columns,
    }
}

#[test]
fn a_concatenation_added_to_one_group_divides_it() {
    let mut groups = Groups::default();
    let (a, b, c) = (groups.fresh(3), groups.fresh(4), groups.fresh(7));
    let parts = [channels(a, 3, 1), channels(b, 4, 1)];
    groups.tie(&[channels(c, 7, 1)], &parts, &|| "never".into());
    let resolved = groups.resolve(&[channels(c, 7, 1)]);
    assert_eq!(resolved, groups.resolve(&parts));
    assert!(groups.roots().all(|(_, _, frozen)| frozen.is_none()));
}

#[test]
fn four_quarters_that_are_tied_are_one_group_four_times() {
    let mut groups = Groups::default();
    let fused = [channels(groups.fresh(20), 20, 1)];
    let mut rest = fused.to_vec();
    let mut quarters = Vec::new();
    for _ in 0..4 {
        let (quarter, after) = groups.cut(&rest, 5).expect("a cut between channels");
        quarters.push(quarter);
        rest = after;
    }
    for quarter in &quarters[1..] {
        groups.tie(&quarters[0], quarter, &|| "never".into());
    }
    let resolved = groups.resolve(&fused);
    assert_eq!(resolved.len(), 4);
    assert!(resolved.iter().all(|segment| *segment == resolved[0]));
    assert_eq!(resolved[0].length(), 5);
}

#[test]
fn a_fixed_axis_freezes_what_meets_it() {
    let mut groups = Groups::default();
    let group = groups.fresh(6);
    groups.tie(&[channels(group, 6, 1)], &[Segment::Fixed(6)], &|| {
        "met".into()
    });
    assert!(groups.roots().all(|(_, _, frozen)| frozen == Some("met")));
}

#[test]
fn a_cut_within_a_channel_is_none() {
    let mut groups = Groups::default();
    let group = groups.fresh(3);
    assert!(groups.cut(&[channels(group, 3, 4)], 6).is_none());
    assert!(groups.cut(&[channels(group, 3, 4)], 8).is_some());
}

#[test]
fn a_group_is_divided_by_either_of_its_lengths() {
    for by_outer in [true, false] {
        let mut groups = Groups::default();
        let group = groups.fresh(6);
        groups.divide(group, 2, 3, by_outer);
        let whole = [channels(group, 6, 1)];
        let expected = match by_outer {
            true => vec![channels(GroupId(1), 2, 3)],
            false => vec![channels(GroupId(1), 3, 1); 2],
        };
        assert_eq!(groups.resolve(&whole), expected);
        // Twice as many places of each.
        let wide: Vec<Segment> = expected.iter().map(|part| part.widened_by(2)).collect();
        assert_eq!(groups.resolve(&[channels(group, 6, 2)]), wide);
        let roots: Vec<_> = groups.roots().collect();
        let width = if by_outer { 2 } else { 3 };
        assert_eq!(roots, [(GroupId(1), width, None)]);
    }
}

#[test]
fn channels_of_several_columns_are_tied_to_channels_of_fewer() {
    let mut groups = Groups::default();
    let (coarse, fine) = (groups.fresh(3), groups.fresh(12));
    let parts = [channels(coarse, 3, 4)];
    groups.tie(&[channels(fine, 12, 1)], &parts, &|| "never".into());
    assert_eq!(groups.resolve(&[channels(fine, 12, 1)]), parts);
    assert!(frozen(&groups).is_empty());
    // Two columns are half of four: one channel of the fine group for each half.
    let half = groups.fresh(6);
    groups.tie(&parts, &[channels(half, 6, 2)], &|| "never".into());
    assert_eq!(
        groups.resolve(&[channels(half, 6, 1)]),
        [channels(coarse, 3, 2)]
    );
    assert!(frozen(&groups).is_empty());
    let other = groups.fresh(6);
    groups.tie(&[channels(other, 6, 2)], &parts, &|| "never".into());
    assert_eq!(
        groups.resolve(&[channels(other, 6, 1)]),
        [channels(coarse, 3, 2)]
    );
    // Neither two nor three divides the other.
    let (twos, threes) = (groups.fresh(3), groups.fresh(2));
    groups.tie(&[channels(twos, 3, 2)], &[channels(threes, 2, 3)], &|| {
        "torn".into()
    });
    assert_eq!(frozen(&groups), BTreeSet::from([twos, threes]));
}

#[test]
fn a_group_beside_itself_cannot_be_of_other_columns() {
    let mut groups = Groups::default();
    let group = groups.fresh(2);
    let twice = [channels(group, 2, 1), channels(group, 2, 1)];
    groups.tie(&twice, &twice, &|| "never".into());
    assert!(frozen(&groups).is_empty());
    groups.tie(&twice, &[channels(group, 2, 2)], &|| "shifted".into());
    assert!(!frozen(&groups).is_empty());
}

#[test]
fn axes_of_one_place_have_no_group_of_their_own() {
    let mut groups = Groups::default();
    assert_eq!(groups.axis(1), [Segment::Fixed(1)]);
    assert_eq!(groups.axis(0), [Segment::Fixed(0)]);
    assert_eq!(groups.axis(2), [channels(GroupId(0), 2, 1)]);
    assert_eq!(groups.roots().count(), 1);
}

#[test]
fn places_of_no_channel_are_cut_anywhere() {
    let mut groups = Groups::default();
    let axis = [Segment::Fixed(3), Segment::Fixed(4)];
    let (left, right) = groups.cut(&axis, 5).expect("no channel is cut");
    assert_eq!(left, [Segment::Fixed(3), Segment::Fixed(2)]);
    assert_eq!(right, [Segment::Fixed(2)]);
    let (left, right) = groups.cut(&axis, 1).expect("no channel is cut");
    assert_eq!(left, [Segment::Fixed(1)]);
    assert_eq!(right, [Segment::Fixed(2), Segment::Fixed(4)]);
    let (all, none) = groups.cut(&axis, 9).expect("no channel is cut");
    assert_eq!((all.len(), none.len()), (2, 0));
}
