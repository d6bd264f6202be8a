//! What selectors choose among splits, new neurons and removals.

#[path = "common/candidates.rs"]
mod candidates;

use std::collections::HashSet;

use burgeon_core::growth::{Gain, Growth, Removal, Side};
use burgeon_core::select::{
    Efficiency, Fraction, Knapsack, LinearProgramme, PerLayer, Room, Selector, Threshold, TopK,
};
use burgeon_core::{Candidate, Scheme};
use candidates::{channel, site, split};
use proptest::prelude::*;

const SITES: [&str; 3] = ["a", "b", "c"];

fn new_neuron(name: &str) -> Candidate {
    Candidate::new_neuron(&site(name, 1), vec![1.0], Vec::new(), Side::FanOut)
}

/// A candidate of any kind: splits into two to four, removals (which are free) and new neurons.
fn mixed() -> impl Strategy<Value = Candidate> {
    let name = prop::sample::select(SITES.to_vec());
    let scheme = prop::sample::select(Scheme::DIRECTED.to_vec());
    let number = prop_oneof![9 => -1.0_f64..1.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    let price = prop_oneof![6 => 1_u64..50, 1 => Just(0), 1 => Just(100_000)];
    let gain = proptest::option::of((number.clone(), any::<bool>()));
    (0_u8..3, name, 0_usize..5, scheme, number, gain, price).prop_map(
        |(kind, name, neuron, scheme, score, gain, price)| {
            let removal = Growth::Removal(Removal {
                site: name.into(),
                neuron,
            });
            let candidate = match kind {
                0 => split(name, neuron, scheme),
                1 => Candidate::new(&site(name, 5), removal),
                _ => new_neuron(name),
            };
            let gain = gain.map(|(value, is_first)| match is_first {
                true => Gain::first(value),
                false => Gain::second(value),
            });
            Candidate {
                price: if kind == 1 { 0 } else { price },
                gain,
                ..candidate.with_score(score)
            }
        },
    )
}

fn many() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(mixed(), 0..16)
}

fn rooms() -> impl Strategy<Value = Room> {
    let widths = [1_usize..12, 1..12, 1..12];
    (widths, proptest::option::of(0_u64..200)).prop_map(|(widths, cost)| Room {
        widths: SITES.map(String::from).into_iter().zip(widths).collect(),
        cost,
    })
}

/// `share/20 · count`, rounded up.
fn twentieths(share: usize, count: usize) -> usize {
    (share * count).div_ceil(20)
}

/// Of the candidates that `rank` has a number for, largest first, those that fit: at most `count`
/// of them. Equal ones in the order given.
fn greedy(
    candidates: &[Candidate],
    rank: impl Fn(&Candidate) -> Option<f64>,
    count: usize,
    room: &Room,
) -> Vec<Candidate> {
    let mut open: Vec<&Candidate> = candidates.iter().collect();
    let mut chosen: Vec<Candidate> = Vec::new();
    let mut spent = 0;
    while chosen.len() < count {
        let mut best: Option<(usize, f64)> = None;
        for (place, candidate) in open.iter().enumerate() {
            let Some(number) = rank(candidate) else {
                continue;
            };
            if best.is_none_or(|(_, most)| number > most) {
                best = Some((place, number));
            }
        }
        let Some((place, _)) = best else { break };
        let candidate = open.remove(place);
        let mut before = chosen.iter().filter_map(channel);
        let claimed = channel(candidate).is_some_and(|own| before.any(|other| other == own));
        let fits = room.cost.is_none_or(|cost| spent + candidate.price <= cost);
        if fits && !claimed {
            spent += candidate.price;
            chosen.push(candidate.clone());
        }
    }
    chosen
}

/// Whether both are the same candidates in the same order. As printed, what is no number is equal
/// to itself.
fn are_same(a: &[Candidate], b: &[Candidate]) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

/// At most one candidate for a channel, and no more than there is room for.
fn is_admissible(chosen: &[Candidate], room: &Room) -> bool {
    let mut seen = HashSet::new();
    let single = chosen
        .iter()
        .filter_map(channel)
        .all(|own| seen.insert(own));
    let spent: u64 = chosen.iter().map(|candidate| candidate.price).sum();
    single && room.cost.is_none_or(|cost| spent <= cost)
}

fn added(chosen: &[Candidate], name: &str) -> isize {
    let own = chosen.iter().filter(|c| c.growth.site() == name);
    own.map(|c| c.growth.channels_added()).sum()
}

/// New neurons at each site of `room`, as many as it has; all of a site cost the same.
fn neurons(room: &Room, scores: &[f64], prices: [u64; 3]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for ((name, width), price) in room.widths.iter().zip(prices) {
        for _ in 0..*width {
            let score = scores[candidates.len()];
            candidates.push(Candidate {
                price,
                ..new_neuron(name).with_score(score)
            });
        }
    }
    candidates
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn top_k_are_the_best_that_fit(candidates in many(), room in rooms(), count in 1_usize..20) {
        let chosen = TopK::new(count).expect("in range").select(candidates.clone(), &room);
        let expected = greedy(&candidates, |c| finite(c.score), count, &room);
        prop_assert!(are_same(&chosen.expect("selects"), &expected));
    }

    #[test]
    fn a_fraction_is_the_best_that_fit(
        candidates in many(),
        room in rooms(),
        share in 1_usize..=20,
    ) {
        let fraction = Fraction::new(share as f64 / 20.0).expect("in range");
        let count = twentieths(share, room.neurons());
        let expected = greedy(&candidates, |c| finite(c.score), count, &room);
        let chosen = fraction.select(candidates, &room).expect("selects");
        prop_assert!(are_same(&chosen, &expected));
    }

    #[test]
    fn a_threshold_leaves_out_what_is_below_it(
        candidates in many(),
        room in rooms(),
        least in -1.0_f64..1.0,
    ) {
        let chosen = Threshold::new(least).expect("in range").select(candidates.clone(), &room);
        let rank = |c: &Candidate| finite(c.score).filter(|score| *score >= least);
        let expected = greedy(&candidates, rank, usize::MAX, &room);
        prop_assert!(are_same(&chosen.expect("selects"), &expected));
    }

    /// Something is chosen where something may be.
    #[test]
    fn nothing_is_chosen_only_where_nothing_fits(candidates in many(), room in rooms()) {
        let fits = |c: &Candidate| room.cost.is_none_or(|cost| c.price <= cost);
        let sound = candidates.iter().filter(|c| c.score.is_finite() && fits(c));
        let best = sound.map(|c| c.score).reduce(f64::max);
        let all: [&dyn Selector; 3] = [
            &TopK::new(1).expect("in range"),
            &Fraction::new(0.01).expect("in range"),
            &Threshold::new(best.unwrap_or(0.0)).expect("in range"),
        ];
        for selector in all {
            let chosen = selector.select(candidates.clone(), &room).expect("selects");
            let first = chosen.first().map(|c| c.score);
            prop_assert_eq!(first, best, "{}", selector.name());
        }
    }

    #[test]
    fn efficiency_is_value_by_a_power_of_the_price(
        candidates in many(),
        room in rooms(),
        share in 1_usize..=20,
        power in prop::sample::select(vec![0.0, 0.5, 1.0]),
    ) {
        let worth = |c: &Candidate| {
            let value = c.gain.map_or(c.score, |gain| gain.value);
            let price = c.price.max(1) as f64;
            let by = if power == 0.0 {
                1.0
            } else if power == 0.5 {
                price.sqrt()
            } else {
                price
            };
            finite(value).filter(|value| *value > 0.0).map(|value| value / by)
        };
        let count = twentieths(share, room.neurons());
        let efficiency = Efficiency::new(share as f64 / 20.0, power).expect("in range");
        let chosen = efficiency.select(candidates.clone(), &room).expect("selects");
        let expected = greedy(&candidates, worth, count, &room);
        prop_assert!(are_same(&chosen, &expected), "{chosen:?} {expected:?}");
    }

    /// Where there is room, every site gets its share of neurons, and of those the best.
    #[test]
    fn layers_grow_by_a_common_factor(
        room in rooms(),
        scores in prop::collection::vec(-1.0_f64..1.0, 36),
        share in 1_usize..=20,
    ) {
        let room = Room { cost: None, ..room };
        let candidates = neurons(&room, &scores, [3, 1, 40]);
        let per_layer = PerLayer::new(share as f64 / 20.0).expect("in range");
        let chosen = per_layer.select(candidates.clone(), &room).expect("selects");
        for (name, width) in &room.widths {
            let count = twentieths(share, *width);
            let own = |all: &[Candidate]| -> Vec<Candidate> {
                all.iter().filter(|c| c.growth.site() == name).cloned().collect()
            };
            let expected = greedy(&own(&candidates), |c| Some(c.score), count, &room);
            prop_assert_eq!(expected.len(), count);
            prop_assert_eq!(own(&chosen), expected);
        }
    }

    /// Where room is short and neurons cost the same everywhere, no site is further ahead of
    /// another than by one neuron, and no room is left that a neuron would fit into.
    #[test]
    fn short_room_is_shared_by_all_layers(
        room in rooms(),
        scores in prop::collection::vec(-1.0_f64..1.0, 36),
        share in 1_usize..=20,
        cost in 0_u64..200,
        price in 1_u64..20,
    ) {
        let room = Room { cost: Some(cost), ..room };
        let candidates = neurons(&room, &scores, [price; 3]);
        let per_layer = PerLayer::new(share as f64 / 20.0).expect("in range");
        let chosen = per_layer.select(candidates, &room).expect("selects");
        prop_assert!(is_admissible(&chosen, &room));
        let target = |width: usize| twentieths(share, width);
        let wanted: usize = room.widths.iter().map(|(_, width)| target(*width)).sum();
        let affordable = usize::try_from(cost / price).expect("small");
        prop_assert_eq!(chosen.len(), wanted.min(affordable));
        let grown: Vec<(usize, usize)> = room
            .widths
            .iter()
            .map(|(name, width)| {
                let own = chosen.iter().filter(|c| c.growth.site() == name);
                (own.count(), *width)
            })
            .collect();
        for (ahead, wide) in &grown {
            for (behind, narrow) in &grown {
                // ahead/wide ≤ (behind + 1)/narrow, unless there is nothing more to add.
                let done = *behind == target(*narrow);
                prop_assert!(done || ahead * narrow <= (behind + 1) * wide, "{:?}", grown);
            }
        }
    }

    /// Where sites have prices of their own, a neuron is left out only where those of smaller
    /// factors leave no room for it.
    #[test]
    fn dear_layers_stay_behind_only_for_want_of_room(
        room in rooms(),
        scores in prop::collection::vec(-1.0_f64..1.0, 36),
        share in 1_usize..=20,
        cost in 0_u64..200,
        prices in [1_u64..30, 1..30, 1..30],
    ) {
        let room = Room { cost: Some(cost), ..room };
        let candidates = neurons(&room, &scores, prices);
        let per_layer = PerLayer::new(share as f64 / 20.0).expect("in range");
        let chosen = per_layer.select(candidates, &room).expect("selects");
        prop_assert!(is_admissible(&chosen, &room));
        let count = |name: &str| chosen.iter().filter(|c| c.growth.site() == name).count();
        for ((name, width), price) in room.widths.iter().zip(prices) {
            let target = twentieths(share, *width);
            prop_assert!(count(name) <= target);
            if count(name) == target {
                continue;
            }
            let next = (count(name) + 1) as f64 / *width as f64;
            let before: u64 = room
                .widths
                .iter()
                .zip(prices)
                .map(|((name, width), price)| {
                    let factors = (1..=count(name)).map(|k| k as f64 / *width as f64);
                    price * factors.filter(|factor| *factor <= next).count() as u64
                })
                .sum();
            prop_assert!(before + price > cost, "{} would fit: {:?}", name, chosen);
        }
    }

    /// Of whatever kinds the candidates are, no site grows beyond its share; where there is room
    /// and there are neurons to add, by its share.
    #[test]
    fn mixed_growths_stay_within_the_factor(
        candidates in many(),
        room in rooms(),
        share in 1_usize..=20,
    ) {
        let per_layer = PerLayer::new(share as f64 / 20.0).expect("in range");
        let chosen = per_layer.select(candidates.clone(), &room).expect("selects");
        prop_assert!(is_admissible(&chosen, &room));
        prop_assert!(chosen.iter().all(|c| c.score.is_finite()));
        for (name, width) in &room.widths {
            let target = twentieths(share, *width) as isize;
            prop_assert!(added(&chosen, name) <= target, "{}", name);
        }
        // With neurons to fill up with, behind all others.
        let filling = room.widths.iter().flat_map(|(name, width)| {
            let one = Candidate { price: 1, ..new_neuron(name).with_score(-2.0) };
            std::iter::repeat_n(one, 5 * width)
        });
        let all: Vec<Candidate> = candidates.into_iter().chain(filling).collect();
        let room = Room { cost: None, ..room };
        let chosen = per_layer.select(all, &room).expect("selects");
        for (name, width) in &room.widths {
            let target = twentieths(share, *width) as isize;
            prop_assert_eq!(added(&chosen, name), target, "{}", name);
        }
    }
}

#[test]
fn selectors_have_names() {
    let all: [(&dyn Selector, &str); 7] = [
        (&TopK::new(1).expect("in range"), "top-k"),
        (&Fraction::new(0.5).expect("in range"), "fraction"),
        (&Threshold::new(0.5).expect("in range"), "threshold"),
        (&PerLayer::DOUBLE, "per-layer"),
        (&Efficiency::new(0.5, 0.5).expect("in range"), "efficiency"),
        (&Knapsack, "knapsack"),
        (&LinearProgramme::default(), "linear-programme"),
    ];
    for (selector, name) in all {
        assert_eq!(selector.name(), name);
    }
}

#[test]
fn shares_and_powers_out_of_range_are_refused() {
    for share in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(PerLayer::new(share).is_err());
        assert!(Efficiency::new(share, 0.5).is_err());
    }
    for power in [-0.1, 1.1, f64::NAN] {
        assert!(Efficiency::new(0.5, power).is_err());
    }
}

#[test]
fn candidates_of_sites_without_a_width_do_not_grow_by_a_factor() {
    let room = Room {
        widths: vec![("a".into(), 4)],
        cost: None,
    };
    let candidates = vec![
        new_neuron("b").with_score(2.0),
        new_neuron("a").with_score(1.0),
    ];
    let per_layer = PerLayer::new(0.25).expect("in range");
    let chosen = per_layer.select(candidates.clone(), &room);
    assert_eq!(chosen.expect("selects"), candidates[1..]);
}

/// 0.28 · 25 is 7, though not in f64.
#[test]
fn shares_are_rounded_up_but_for_rounding() {
    let room = Room {
        widths: vec![("a".into(), 25)],
        cost: None,
    };
    let candidates = vec![new_neuron("a").with_score(1.0); 25];
    for (share, count) in [(0.28, 7), (0.29, 8), (0.001, 1), (1.0, 25)] {
        let all: [&dyn Selector; 3] = [
            &Fraction::new(share).expect("in range"),
            &PerLayer::new(share).expect("in range"),
            &Efficiency::new(share, 1.0).expect("in range"),
        ];
        for selector in all {
            let chosen = selector.select(candidates.clone(), &room).expect("selects");
            assert_eq!(chosen.len(), count, "{} of {share}", selector.name());
        }
    }
}
