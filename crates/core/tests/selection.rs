//! Choices under a budget against brute force, and cost models.

#[path = "common/candidates.rs"]
mod candidates;

use std::collections::HashSet;

use burgeon_core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, Geometry, Latency, LayerKind, LayerShape,
    LayerTiming, Macs, Parameters, Precision,
};
use burgeon_core::growth::{Gain, Growth, Removal, Side};
use burgeon_core::select::{
    Efficiency, Fraction, Knapsack, LinearProgramme, PerLayer, Room, Threshold, TopK,
};
use burgeon_core::{Candidate, Scheme, Selector};
use candidates::channel;
use proptest::prelude::*;

/// Kinds 0 and 1 are of the same channels of one site: splits and removals. Kind 2 splits those of
/// another, and kind 3 adds neurons there, whatever the number.
fn candidate(kind: usize, neuron: usize, gain: f64, price: u64) -> Candidate {
    let site = |name| candidates::site(name, 5);
    let candidate = match kind {
        0 => candidates::split("site0", neuron, Scheme::Positive2),
        1 => Candidate::new(
            &site("site0"),
            Growth::Removal(Removal {
                site: "site0".into(),
                neuron,
            }),
        ),
        2 => candidates::split("site1", neuron, Scheme::Positive2),
        _ => Candidate::new_neuron(&site("site1"), vec![1.0], Vec::new(), Side::FanOut),
    };
    let gain = if neuron.is_multiple_of(2) {
        Gain::first(gain)
    } else {
        Gain::second(gain)
    };
    Candidate {
        price,
        ..candidate.with_gain(gain).with_score(gain.value)
    }
}

fn room(left: u64) -> Room {
    Room {
        widths: vec![("site0".into(), 12), ("site1".into(), 8)],
        cost: Some(left),
    }
}

/// Candidates of two sites, some for the same channel, with sound and unsound gains.
fn instances() -> impl Strategy<Value = (Vec<Candidate>, u64)> {
    let gain = prop_oneof![
        8 => 0.001_f64..10.0,
        1 => Just(1.0),
        1 => -5.0_f64..0.0,
        1 => Just(f64::NAN),
    ];
    let cost = prop_oneof![6 => 1_u64..50, 1 => Just(0), 1 => Just(1_000_000)];
    let one = (0..4_usize, 0..5_usize, gain, cost);
    let all = prop::collection::vec(one, 0..11);
    let candidates = all.prop_map(|all| {
        let of = |(kind, neuron, gain, cost)| candidate(kind, neuron, gain, cost);
        all.into_iter().map(of).collect()
    });
    (candidates, 0_u64..200)
}

/// Whether no channel is changed twice.
fn is_single<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> bool {
    let mut seen = HashSet::new();
    candidates
        .filter_map(channel)
        .all(|channel| seen.insert(channel))
}

fn value(candidate: &Candidate) -> f64 {
    candidate.gain.expect("all have one").value
}

fn gain(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(value).sum()
}

fn cost(candidates: &[Candidate]) -> u64 {
    candidates.iter().map(|c| c.price).sum()
}

/// The largest gain of any admissible subset.
fn brute_force(candidates: &[Candidate], room: u64) -> f64 {
    let sound: Vec<&Candidate> = candidates.iter().filter(|c| value(c) > 0.0).collect();
    let together = |subset: u32| {
        let chosen: Vec<&Candidate> = (0..sound.len())
            .filter(|i| subset >> i & 1 == 1)
            .map(|i| sound[i])
            .collect();
        let fits = chosen.iter().map(|c| c.price).sum::<u64>() <= room;
        let single = is_single(chosen.iter().copied());
        (fits && single).then(|| chosen.iter().map(|c| value(c)).sum::<f64>())
    };
    (0..1_u32 << sound.len())
        .filter_map(together)
        .fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_knapsack_is_that_of_brute_force((candidates, left) in instances()) {
        let best = brute_force(&candidates, left);
        let chosen = Knapsack.select(candidates, &room(left)).expect("selects");
        prop_assert!(cost(&chosen) <= left);
        prop_assert!((gain(&chosen) - best).abs() <= 1e-9 * best.max(1.0), "{} {best}", gain(&chosen));
    }

    /// With one constraint the programme is solved by taking candidates in the order of their
    /// gain per cost: whole ones until one is left that fits in part.
    #[test]
    fn the_programme_takes_whole_what_is_worth_most(
        gains in prop::collection::vec(0.01_f64..10.0, 1..12),
        costs in prop::collection::vec(1_u64..50, 12),
        budget in 0_u64..200,
    ) {
        let candidates: Vec<Candidate> = gains
            .iter()
            .zip(&costs)
            .enumerate()
            .map(|(neuron, (gain, cost))| candidate(0, neuron, *gain, *cost))
            .filter(|candidate| candidate.price <= budget)
            .collect();
        let mut order = candidates.clone();
        let density = |c: &Candidate| value(c) / c.price as f64;
        order.sort_by(|a, b| density(b).total_cmp(&density(a)));
        let mut left = budget;
        let neuron = |c: &Candidate| channel(c).expect("a split").1;
        let whole: Vec<usize> = order
            .iter()
            .take_while(|c| {
                let fits = c.price <= left;
                left = left.saturating_sub(c.price);
                fits
            })
            .map(neuron)
            .collect();
        let programme = LinearProgramme::default().with_threshold(1.0 - 1e-9).expect("in range");
        let chosen = programme.select(candidates, &room(budget)).expect("selects");
        let mut found: Vec<usize> = chosen.iter().map(neuron).collect();
        let mut expected = whole;
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_selector_exceeds_the_budget_or_changes_a_channel_twice(
        (candidates, left) in instances(),
    ) {
        let capped = LinearProgramme::default().with_site_share(0.5).expect("in range");
        let selectors: [&dyn Selector; 8] = [
            &Knapsack,
            &Efficiency::new(0.3, 0.5).expect("in range"),
            &PerLayer::new(0.3).expect("in range"),
            &LinearProgramme::default(),
            &capped,
            &TopK::new(3).expect("in range"),
            &Fraction::new(0.3).expect("in range"),
            &Threshold::new(0.5).expect("in range"),
        ];
        for selector in selectors {
            let chosen = selector.select(candidates.clone(), &room(left)).expect("selects");
            prop_assert!(cost(&chosen) <= left, "{}", selector.name());
            prop_assert!(is_single(chosen.iter()), "{}", selector.name());
            prop_assert!(chosen.iter().all(|c| c.score.is_finite()));
        }
    }

    /// What a mixing layer and its widened form cost, recounted.
    #[test]
    fn costs_are_sums_over_layers(inputs in 1_usize..40, outputs in 1_usize..40, side in 1_usize..9) {
        let layer = shape("a", LayerKind::Mixing, inputs, outputs, side);
        let depthwise = shape("b", LayerKind::ChannelWise, outputs, outputs, side);
        let layers = [layer.clone(), depthwise.clone()];
        let positions = (side * side) as u64;
        prop_assert_eq!(Macs.layer_cost(&layer), 9 * (inputs * outputs) as u64 * positions);
        prop_assert_eq!(Macs.layer_cost(&depthwise), 9 * outputs as u64 * positions);
        let parameters = 9 * inputs * outputs + 3 * outputs + 9 * outputs + 3 * outputs;
        prop_assert_eq!(Parameters.cost(&layers), parameters as u64);
        let numbers = 2 * outputs as u64 * positions;
        prop_assert_eq!(ActivationMemory::default().cost(&layers), 4 * numbers);
        let read = (inputs + outputs) as u64 * positions;
        let moved = 4 * (read + parameters as u64 + numbers);
        prop_assert_eq!(BytesMoved::default().cost(&layers), moved);
        let single = Energy::new(Precision::Float32).cost(&layers);
        let half = Energy::new(Precision::Float16).cost(&layers);
        let byte = Energy::new(Precision::Int8).cost(&layers);
        prop_assert!(single > half && half > byte);
    }
}

fn shape(name: &str, kind: LayerKind, inputs: usize, outputs: usize, side: usize) -> LayerShape {
    LayerShape {
        name: name.into(),
        kind,
        inputs,
        outputs,
        taps: 9,
        extra: 3,
        input_positions: side * side,
        output_positions: side * side,
        geometry: Geometry {
            kernel: [3, 3],
            input: [side; 2],
            output: [side; 2],
            ..Geometry::default()
        },
    }
}

#[test]
fn unusual_budgets_and_gains() {
    let nothing_fits = vec![candidate(0, 0, 1.0, 10), candidate(0, 1, 2.0, 11)];
    let free = vec![candidate(0, 0, 1.0, 0), candidate(0, 1, 2.0, 5)];
    let equal: Vec<Candidate> = (0..5).map(|neuron| candidate(0, neuron, 1.0, 3)).collect();
    let unsound = vec![
        candidate(0, 0, f64::NAN, 1),
        candidate(0, 1, -1.0, 1),
        candidate(0, 2, 0.0, 1),
        candidate(0, 3, f64::INFINITY, 1),
    ];
    let programme = LinearProgramme::default();
    for selector in [&Knapsack as &dyn Selector, &programme] {
        let count = |candidates: &Vec<Candidate>, left| {
            let chosen = selector.select(candidates.clone(), &room(left));
            chosen.expect("selects").len()
        };
        assert_eq!(count(&nothing_fits, 9), 0);
        assert_eq!(count(&free, 0), 1);
        assert_eq!(count(&free, 5), 2);
        assert_eq!(count(&equal, 9), 3);
        assert_eq!(count(&equal, 0), 0);
        assert_eq!(count(&unsound, 100), 0);
        assert_eq!(count(&Vec::new(), 100), 0);
        let unlimited = Room {
            cost: None,
            ..room(0)
        };
        let all = selector.select(equal.clone(), &unlimited).expect("selects");
        assert_eq!(all.len(), 5);
    }
    assert!(LinearProgramme::default().with_threshold(0.0).is_err());
    assert!(LinearProgramme::default().with_site_share(1.5).is_err());
}

#[test]
fn latency_is_interpolated_saved_and_read_again() {
    let timing = |inputs, outputs, nanoseconds| LayerTiming {
        layer: shape("a", LayerKind::Mixing, inputs, outputs, 4),
        nanoseconds,
    };
    let grid = vec![
        timing(8, 8, 100),
        timing(8, 16, 200),
        timing(16, 8, 300),
        timing(16, 16, 600),
    ];
    let latency = Latency::new("cpu", grid.clone()).expect("a full grid");
    let at =
        |inputs, outputs| latency.layer_cost(&shape("a", LayerKind::Mixing, inputs, outputs, 4));
    assert_eq!(at(8, 8), 100);
    assert_eq!(at(16, 16), 600);
    assert_eq!(at(12, 8), 200);
    assert_eq!(at(12, 12), 300);
    assert_eq!(at(8, 24), 300);
    let unknown = shape("b", LayerKind::Mixing, 8, 8, 4);
    assert_eq!(latency.layer_cost(&unknown), 0);
    let text = serde_json::to_string(&latency).expect("serialises");
    assert_eq!(
        serde_json::from_str::<Latency>(&text).expect("reads"),
        latency
    );
    assert!(Latency::new("cpu", grid[..3].to_vec()).is_err());
    assert!(Latency::new("cpu", Vec::new()).is_err());
    assert!(serde_json::from_str::<Latency>(r#"{"device":"cpu","timings":[]}"#).is_err());
}
