//! Reshapes against the channels of every single number of a tensor.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::groups::tests::{Label, frozen, labels};
use crate::layout::GroupId;

/// The channels that each number of a tensor belongs to, in their order, of those that hold.
fn of_numbers(
    groups: &Groups,
    axes: &[Vec<Segment>],
    holds: impl Fn(GroupId) -> bool,
) -> Vec<Vec<(GroupId, usize)>> {
    let axes: Vec<Vec<Label>> = axes.iter().map(|axis| labels(groups, axis)).collect();
    let mut all = vec![Vec::new()];
    for axis in &axes {
        all = all
            .into_iter()
            .flat_map(|before: Vec<(GroupId, usize)>| {
                axis.iter().map(move |label| {
                    let mut own = before.clone();
                    own.extend(*label);
                    own
                })
            })
            .collect();
    }
    for own in &mut all {
        own.retain(|(group, _)| holds(*group));
        own.sort_unstable();
    }
    all
}

/// One axis as it is drawn: its length in channels and columns, and what it is.
#[derive(Debug, Clone, Copy)]
enum Drawn {
    Fixed(usize),
    Channels(usize, usize),
    Twice(usize),
    Beside(usize, usize),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let length = || prop::sample::select(vec![1_usize, 2, 3, 4, 6]);
    prop_oneof![
        2 => length().prop_map(Drawn::Fixed),
        4 => (length(), 1_usize..3).prop_map(|(width, columns)| Drawn::Channels(width, columns)),
        1 => length().prop_map(Drawn::Twice),
        1 => (length(), length()).prop_map(|(one, other)| Drawn::Beside(one, other)),
    ]
}

fn built(drawn: &[Drawn], batch: bool) -> (Groups, Vec<Axis>) {
    let mut groups = Groups::default();
    let mut axes = Vec::new();
    if batch {
        axes.push(Axis::fixed(2, true));
    }
    for one in drawn {
        let mut channels = |width, columns| Segment::Channels {
            group: groups.fresh(width),
            width,
            columns,
        };
        let segments = match *one {
            Drawn::Fixed(length) => vec![Segment::Fixed(length)],
            Drawn::Channels(width, columns) => vec![channels(width, columns)],
            Drawn::Twice(width) => vec![channels(width, 1); 2],
            Drawn::Beside(one, other) => vec![channels(one, 1), channels(other, 1)],
        };
        axes.push(Axis {
            length: segments.iter().map(Segment::length).sum(),
            segments,
            of_batch: false,
        });
    }
    (groups, axes)
}

/// The prime factors of a number, smallest first.
fn primes(mut number: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut prime = 2;
    while number > 1 {
        while number.is_multiple_of(prime) {
            found.push(prime);
            number /= prime;
        }
        prime += 1;
    }
    found
}

/// Lengths of the same product: factors of the old ones, some of them joined, with ones between.
fn lengths(from: &[Axis], joins: &[u8]) -> Vec<usize> {
    let mut to = Vec::new();
    let mut joins = joins.iter().cycle();
    let mut current = 1;
    for factor in from.iter().flat_map(|axis| primes(axis.length)) {
        current *= factor;
        match joins.next().copied().unwrap_or(0) {
            0..3 => {}
            3 => {
                to.push(current);
                to.push(1);
                current = 1;
            }
            _ => {
                to.push(current);
                current = 1;
            }
        }
    }
    to.push(current);
    to
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// A number is of the same channels in either shape, but of those that cannot grow.
    #[test]
    fn numbers_keep_their_channels(
        drawn in prop::collection::vec(drawn(), 1..4),
        batch in any::<bool>(),
        joins in prop::collection::vec(0_u8..6, 1..9),
    ) {
        let (mut groups, from) = built(&drawn, batch);
        let to = lengths(&from, &joins);
        let found = reshape(&mut groups, &from, &to, &|| "torn".into());
        prop_assert_eq!(found.len(), to.len());
        for (segments, length) in found.iter().zip(&to) {
            prop_assert_eq!(segments.iter().map(Segment::length).sum::<usize>(), *length);
        }
        let frozen = frozen(&groups);
        let grows = |group: GroupId| !frozen.contains(&group);
        let before: Vec<Vec<Segment>> = from.iter().map(|axis| axis.segments.clone()).collect();
        prop_assert_eq!(of_numbers(&groups, &found, grows), of_numbers(&groups, &before, grows));
    }

    /// What is flattened and taken apart again is as it was, and nothing is frozen by it.
    #[test]
    fn flattened_and_back(
        width in 2_usize..5,
        height in 1_usize..4,
        breadth in 2_usize..4,
        channels_first in any::<bool>(),
    ) {
        let mut groups = Groups::default();
        let channels = Axis {
            segments: groups.axis(width),
            length: width,
            of_batch: false,
        };
        let mut from = vec![Axis::fixed(5, true)];
        let positions = [Axis::fixed(height, false), Axis::fixed(breadth, false)];
        if channels_first {
            from.push(channels);
            from.extend(positions);
        } else {
            from.extend(positions);
            from.push(channels);
        }
        let whole = [5, width * height * breadth];
        let flat = reshape(&mut groups, &from, &whole, &|| "torn".into());
        let (group, positions) = (GroupId(0), height * breadth);
        let expected = match channels_first {
            true => vec![Segment::Channels { group, width, columns: positions }],
            false => vec![Segment::Channels { group, width, columns: 1 }; positions],
        };
        prop_assert_eq!(&flat[1], &expected);
        let flat = [
            Axis::fixed(5, true),
            Axis { segments: expected, length: whole[1], of_batch: false },
        ];
        let lengths: Vec<usize> = from.iter().map(|axis| axis.length).collect();
        let back = reshape(&mut groups, &flat, &lengths, &|| "torn".into());
        let before: Vec<Vec<Segment>> = from.iter().map(|axis| axis.segments.clone()).collect();
        prop_assert_eq!(back, before);
        prop_assert_eq!(frozen(&groups), BTreeSet::new());
    }
}

/// Channels of a group of `width`, alone along an axis.
fn alone(groups: &mut Groups, width: usize) -> Axis {
    Axis {
        segments: vec![Segment::Channels {
            group: groups.fresh(width),
            width,
            columns: 1,
        }],
        length: width,
        of_batch: false,
    }
}

fn reshaped(groups: &mut Groups, from: &[Axis], to: &[usize]) -> Vec<Vec<Segment>> {
    reshape(groups, from, to, &|| "torn".into())
}

fn channels(group: usize, width: usize, columns: usize) -> Segment {
    Segment::Channels {
        group: GroupId(group),
        width,
        columns,
    }
}

#[test]
fn heads_are_widened_alike() {
    let mut groups = Groups::default();
    let from = [
        Axis::fixed(2, true),
        Axis::fixed(5, false),
        alone(&mut groups, 12),
    ];
    let found = reshaped(&mut groups, &from, &[2, 5, 3, 4]);
    // A channel of the second group comes back in each of the three heads.
    assert_eq!(
        found[2..],
        [vec![Segment::Fixed(3)], vec![channels(1, 4, 1)]]
    );
    assert_eq!(
        groups.resolve(&from[2].segments),
        vec![channels(1, 4, 1); 3]
    );
    assert!(frozen(&groups).is_empty());
    let flat = Axis {
        segments: vec![channels(1, 4, 1)],
        length: 4,
        of_batch: false,
    };
    let from = [Axis::fixed(2, true), Axis::fixed(3, false), flat];
    let found = reshaped(&mut groups, &from, &[2, 12]);
    assert_eq!(found[1], vec![channels(1, 4, 1); 3]);
}

#[test]
fn rows_become_maps_channel_by_channel() {
    let mut groups = Groups::default();
    let from = [Axis::fixed(2, true), alone(&mut groups, 12)];
    let found = reshaped(&mut groups, &from, &[2, 3, 2, 2]);
    let fixed = |length| vec![Segment::Fixed(length)];
    assert_eq!(
        found,
        [fixed(2), vec![channels(1, 3, 1)], fixed(2), fixed(2)]
    );
    assert_eq!(groups.resolve(&from[1].segments), [channels(1, 3, 4)]);
    assert!(frozen(&groups).is_empty());
}

#[test]
fn heads_of_several_columns_are_parted_between_channels() {
    let mut groups = Groups::default();
    let wide = Axis {
        segments: vec![Segment::Channels {
            group: groups.fresh(6),
            width: 6,
            columns: 2,
        }],
        length: 12,
        of_batch: false,
    };
    let from = [Axis::fixed(2, true), Axis::fixed(7, false), wide];
    let found = reshaped(&mut groups, &from, &[2, 7, 3, 4]);
    assert_eq!(found[3], [channels(1, 2, 2)]);
    assert!(frozen(&groups).is_empty());
}

#[test]
fn places_beside_channels_of_several_columns_are_narrowed_too() {
    let mut groups = Groups::default();
    let group = groups.fresh(2);
    let axis = |columns, fixed| Axis {
        segments: vec![channels(0, 2, columns), Segment::Fixed(fixed)],
        length: 2 * columns + fixed,
        of_batch: false,
    };
    let found = reshaped(&mut groups, &[axis(4, 6)], &[7, 2]);
    assert_eq!(found[0], [channels(0, 2, 2), Segment::Fixed(3)]);
    assert_eq!(found[1], [Segment::Fixed(2)]);
    assert!(frozen(&groups).is_empty());
    // Not where one of both cannot be.
    let found = reshaped(&mut groups, &[axis(4, 7)], &[5, 3]);
    assert_eq!(found[0], [Segment::Fixed(5)]);
    assert_eq!(frozen(&groups), BTreeSet::from([group]));
}

#[test]
fn axes_before_channels_are_joined_and_parted() {
    for (before, after) in [(&[2, 3][..], &[6][..]), (&[6], &[2, 3]), (&[4, 3], &[2, 6])] {
        let mut groups = Groups::default();
        let mut from: Vec<Axis> = before.iter().map(|&n| Axis::fixed(n, false)).collect();
        from[0].of_batch = true;
        from.push(alone(&mut groups, 5));
        from.push(Axis::fixed(7, false));
        let to = [after, &[5, 7]].concat();
        let found = reshaped(&mut groups, &from, &to);
        assert_eq!(
            found[after.len()],
            [channels(0, 5, 1)],
            "{before:?} {after:?}"
        );
        assert_eq!(found[after.len() + 1], [Segment::Fixed(7)]);
        assert!(frozen(&groups).is_empty());
    }
}

#[test]
fn channels_are_not_cut_in_two() {
    // Two columns each: three places are one channel and a half.
    for width in [6, 3] {
        let mut groups = Groups::default();
        let group = groups.fresh(width);
        let own = Axis {
            segments: vec![channels(0, width, 2)],
            length: 2 * width,
            of_batch: false,
        };
        let from = [Axis::fixed(5, true), own];
        let to = [5, 2 * width / 3, 3];
        let found = reshaped(&mut groups, &from, &to);
        let fixed = to.map(|length| vec![Segment::Fixed(length)]);
        assert_eq!(found, fixed);
        assert_eq!(frozen(&groups), BTreeSet::from([group]));
    }
}

#[test]
fn channels_beside_samples_are_torn() {
    for is_first in [true, false] {
        let mut groups = Groups::default();
        let (samples, own) = (Axis::fixed(2, true), alone(&mut groups, 3));
        let from = match is_first {
            true => [samples, own],
            false => [own, samples],
        };
        let found = reshaped(&mut groups, &from, &[6]);
        assert_eq!(found, [vec![Segment::Fixed(6)]]);
        assert_eq!(frozen(&groups), BTreeSet::from([GroupId(0)]));
        // Beside places that are no samples they are not.
        let mut groups = Groups::default();
        let (places, own) = (Axis::fixed(2, false), alone(&mut groups, 3));
        let (from, expected) = match is_first {
            true => ([places, own], vec![channels(0, 3, 1); 2]),
            false => ([own, places], vec![channels(0, 3, 2)]),
        };
        assert_eq!(reshaped(&mut groups, &from, &[6]), [expected]);
        assert!(frozen(&groups).is_empty());
    }
}

#[test]
fn a_product_of_two_axes_of_channels_is_torn() {
    let mut groups = Groups::default();
    let from = [alone(&mut groups, 2), alone(&mut groups, 3)];
    assert_eq!(
        reshaped(&mut groups, &from, &[6]),
        [vec![Segment::Fixed(6)]]
    );
    assert_eq!(frozen(&groups).len(), 2);
}

#[test]
fn shapes_of_other_sizes_keep_no_channel() {
    for to in [&[5][..], &[2], &[]] {
        let mut groups = Groups::default();
        let from = [alone(&mut groups, 4)];
        let found = reshaped(&mut groups, &from, to);
        let fixed = to.iter().map(|&length| vec![Segment::Fixed(length)]);
        assert_eq!(found, fixed.collect::<Vec<_>>(), "{to:?}");
        assert_eq!(frozen(&groups).len(), 1, "{to:?}");
    }
}

#[test]
fn a_single_channel_stays_where_it_stands() {
    let fixed = |length| vec![Segment::Fixed(length)];
    // Before, between and behind other axes, with more axes of length 1 or fewer.
    let one = |groups: &mut Groups| alone(groups, 1);
    let mut groups = Groups::default();
    let from = [
        Axis::fixed(2, true),
        one(&mut groups),
        Axis::fixed(3, false),
    ];
    let own = from[1].segments.clone();
    let found = reshaped(&mut groups, &from, &[2, 1, 1, 3]);
    assert_eq!(found, [fixed(2), own.clone(), fixed(1), fixed(3)]);
    let found = reshaped(&mut groups, &from, &[2, 1, 3, 1]);
    assert_eq!(found, [fixed(2), own, fixed(3), fixed(1)]);
    let mut groups = Groups::default();
    let from = [one(&mut groups), Axis::fixed(4, false)];
    let own = from[0].segments.clone();
    let found = reshaped(&mut groups, &from, &[1, 1, 4]);
    assert_eq!(found, [fixed(1), own, fixed(4)]);
    let mut groups = Groups::default();
    let from = [Axis::fixed(4, true), one(&mut groups)];
    let own = from[1].segments.clone();
    let found = reshaped(&mut groups, &from, &[4, 1, 1]);
    assert_eq!(found, [fixed(4), own, fixed(1)]);
    assert!(frozen(&groups).is_empty());
    let mut groups = Groups::default();
    let (first, second) = (one(&mut groups), one(&mut groups));
    let own = [first.segments.clone(), second.segments.clone()];
    let from = [Axis::fixed(2, true), first, second, Axis::fixed(3, false)];
    let found = reshaped(&mut groups, &from, &[2, 1, 1, 3]);
    assert_eq!(found, [fixed(2), own[0].clone(), own[1].clone(), fixed(3)]);
    assert!(frozen(&groups).is_empty());
    // Two of them in one place.
    let mut groups = Groups::default();
    let from = [one(&mut groups), one(&mut groups), Axis::fixed(4, false)];
    let found = reshaped(&mut groups, &from, &[1, 4]);
    assert_eq!(found[1].iter().map(Segment::length).sum::<usize>(), 4);
    assert!(!frozen(&groups).is_empty() || found[0] != fixed(1));
}

#[test]
fn a_stretch_that_comes_back_is_found() {
    let part = [channels(0, 2, 1), Segment::Fixed(1)];
    let whole = part.repeat(3);
    assert_eq!(repeated(&whole, 3), Some(part.to_vec()));
    assert_eq!(repeated(&whole, 9), Some(whole.clone()));
    assert_eq!(repeated(&whole, 2), None);
    assert_eq!(repeated(&whole, 4), None);
    assert_eq!(repeated(&whole, 6), None);
    assert_eq!(repeated(&whole, 10), None);
    assert_eq!(repeated(&[channels(0, 2, 1), channels(1, 2, 1)], 2), None);
}
