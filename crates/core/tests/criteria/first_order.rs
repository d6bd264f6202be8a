//! GradMax and firefly on a network without Burn.

use burgeon_core::criterion::{
    Candidate, Context, Criterion, Firefly, GradMax, Refinement, unit_vector,
};
use burgeon_core::growth::{Growth, NewNeuron, Order, Side};
use burgeon_core::{CapturedLandscape, CoreError, GradientRequest, Landscape, Needs, Plan};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::common::Plain;
use crate::toy::{OUTPUTS, Toy};

fn toy(has_kink: bool, seed: u64) -> Toy {
    Toy::new(&[("first", 4, 5), ("second", 3, 2)], has_kink, seed)
}

fn asked(criterion: &dyn Criterion, toy: &Toy, seed: u64) -> Vec<Candidate> {
    let found = criterion.candidates(toy, &mut Context::seeded(seed));
    found.unwrap_or_else(|error| panic!("{}: {error}", criterion.name()))
}

fn alone(candidate: &Candidate) -> Plan {
    Plan::new("test", vec![candidate.clone()])
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn loss(toy: &Toy, plan: &Plan, epsilon: f64) -> f64 {
    let search = toy.losses(plan, &[epsilon]).expect("fits");
    search.trials[0].loss.expect("finite")
}

fn start(toy: &Toy, candidate: &Candidate) -> f64 {
    let found = toy.gradient(&alone(candidate), &GradientRequest::default());
    norm(&found.expect("fits").growths[0].fan_in[0])
}

proptest! {
    #[test]
    fn gradmax_has_the_largest_gradient_that_there_is(seed in 0_u64..500) {
        let toy = toy(false, seed);
        let capture = toy.capture(Needs::NORMS).expect("there");
        let candidates = asked(&GradMax::new(), &toy, 0);
        prop_assert!(!candidates.is_empty());
        for (number, candidate) in candidates.iter().enumerate() {
            let Growth::NewNeuron(new) = &candidate.growth else {
                panic!("{}", candidate.growth);
            };
            prop_assert!(new.fan_in.is_empty() && candidate.growth.is_neutral());
            // The singular value times the length is what the gradient measures.
            let found = start(&toy, candidate);
            prop_assert!((found - candidate.score).abs() < 1e-6 * candidate.score);
            let site = capture.sites.iter().find(|site| site.name == new.site).expect("known");
            let length = site.norms.expect("asked for").fan_out;
            prop_assert!((norm(&new.fan_out) - length).abs() < 1e-9 * length);
            // The best of each site comes first, and no other fan-out of its length does better.
            let first = candidates.iter().position(|c| c.growth.site() == site.name);
            if first == Some(number) {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                for _ in 0..20 {
                    let other = unit_vector(OUTPUTS, &mut rng);
                    let other = other.into_iter().map(|value| length * value).collect();
                    let other = Candidate::new_neuron(site, Vec::new(), other, Side::FanIn);
                    prop_assert!(start(&toy, &other) <= found * (1.0 + 1e-6));
                }
            }
        }
    }

    #[test]
    fn fireflies_lower_the_loss_as_predicted(seed in 0_u64..200) {
        let toy = toy(false, seed);
        let before = loss(&toy, &Plan::new("none", Vec::new()), 1.0);
        let few = Refinement::PAPER.with_steps(5).with_learning_rate(0.01).expect("above 0");
        let ways = [Firefly::splits(), Firefly::new_neurons(), Firefly::new()];
        for way in ways {
            let way = way.with_new_neurons(if way == Firefly::splits() { 0 } else { 1 });
            let way = way.expect("some").with_refinement(few).with_points(8).expect("some");
            for candidate in asked(&way, &toy, seed) {
                let gain = candidate.gain.expect("predicted");
                prop_assert!(gain.value > 0.0 && gain.at(1.0) == candidate.score);
                let order = match candidate.growth {
                    Growth::Split(_) => Order::Second,
                    _ => Order::First,
                };
                prop_assert_eq!(gain.order, order);
            }
            // All together, along the path on which they were ranked.
            let everything = Plan::new("all", asked(&way, &toy, seed));
            let predicted = everything.predicted_decrease(1.0).expect("each has one");
            if !everything.is_empty() && all_kept(&way, &toy, &everything) {
                let measured = before - loss(&toy, &everything, 1.0);
                prop_assert!((measured - predicted).abs() < 0.02 * measured.abs() + 1e-9);
            }
        }
    }
}

/// Whether no candidate was left out of what was ranked.
fn all_kept(way: &Firefly, toy: &Toy, plan: &Plan) -> bool {
    let neurons: usize = toy.sites().iter().map(|site| site.neurons).sum();
    let most = match way.name() {
        "firefly-splits" => neurons,
        "firefly" => neurons + toy.sites().len(),
        _ => toy.sites().len(),
    };
    plan.growths.len() == most
}

#[test]
fn refinement_makes_candidates_better_within_their_bounds() {
    let (mut better, trials) = (0, 20);
    for seed in 0..trials {
        let toy = toy(false, seed);
        let capture = toy.capture(Needs::NORMS).expect("there");
        let total = |steps: usize| {
            let rate = Refinement::PAPER.with_learning_rate(0.02).expect("above 0");
            let way = Firefly::new().with_new_neurons(2).expect("some");
            let way = way.with_bound(0.3).expect("above 0");
            let way = way.with_refinement(rate.with_steps(steps));
            let candidates = asked(&way, &toy, seed);
            for candidate in &candidates {
                let site = capture
                    .sites
                    .iter()
                    .find(|site| site.name == candidate.growth.site());
                let norms = site.expect("known").norms.expect("asked for");
                match &candidate.growth {
                    Growth::Split(split) => {
                        let [one, other] = &split.offspring[..] else {
                            panic!("two copies")
                        };
                        assert!(norm(&one.offset) <= 0.3 * norms.fan_in * (1.0 + 1e-12));
                        let sums = one.offset.iter().zip(&other.offset).map(|(a, b)| a + b);
                        assert!(sums.into_iter().all(|sum| sum == 0.0), "centred");
                    }
                    Growth::NewNeuron(NewNeuron { fan_out, .. }) => {
                        assert!(norm(fan_out) <= 0.3 * norms.fan_out * (1.0 + 1e-12));
                    }
                    other => panic!("{other}"),
                }
            }
            candidates
                .iter()
                .map(|candidate| candidate.score)
                .sum::<f64>()
        };
        better += usize::from(total(20) > total(0));
    }
    assert!(better >= 18, "{better} of {trials}");
}

#[test]
fn a_kink_gets_a_step_in_place_of_a_dead_start() {
    for seed in 0..20 {
        let toy = toy(true, seed);
        let before = loss(&toy, &Plan::new("none", Vec::new()), 1.0);
        let candidates = asked(&GradMax::new(), &toy, 0);
        assert!(!candidates.is_empty());
        for candidate in candidates {
            let Growth::NewNeuron(new) = &candidate.growth else {
                panic!("{}", candidate.growth)
            };
            assert!(
                (norm(&new.fan_in) - 1.0).abs() < 1e-9,
                "it would never learn"
            );
            let gain = candidate.gain.expect("predicted").value;
            // On one sample it answers or it does not.
            let slope = (before - loss(&toy, &alone(&candidate), 1e-6)) / 1e-6;
            let off = |expected: f64| (slope - expected).abs() / gain;
            assert!(
                off(0.0) < 1e-3 || off(2.0 * gain) < 1e-3,
                "{slope} against {gain}"
            );
        }
    }
}

#[test]
fn draws_follow_from_the_seed() {
    let toy = toy(false, 1);
    let way = Firefly::new().with_new_neurons(3).expect("some");
    let found = |seed| asked(&way, &toy, seed);
    assert_eq!(found(4), found(4));
    assert_ne!(found(4), found(5));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = [
        Firefly::new_neurons().with_new_neurons(0).err(),
        Firefly::new().with_bound(0.0).err(),
        Firefly::new().with_bound(f64::NAN).err(),
        Firefly::new().with_points(0).err(),
        Refinement::PAPER.with_learning_rate(-1.0).err(),
        GradMax::new().with_scale(f64::INFINITY).err(),
        GradMax::new().with_threshold(1.0).err(),
    ];
    for error in refused {
        assert!(
            matches!(error, Some(CoreError::Parameter { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn a_capture_alone_cannot_be_asked() {
    let toy = toy(false, 1);
    let capture = toy.capture(Needs::NORMS).expect("there");
    let landscape = CapturedLandscape::new((*capture).clone(), &Plain);
    for criterion in [&Firefly::new() as &dyn Criterion, &GradMax::new()] {
        let found = criterion.candidates(&landscape, &mut Context::seeded(0));
        assert_eq!(found.err(), Some(CoreError::NoNetwork));
    }
}
