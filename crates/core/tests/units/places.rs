//! Places of stacks, and what candidates and plans say in words.

use std::sync::Arc;

use burgeon_core::criterion::unit_vector;
use burgeon_core::error::LandscapeError;
use burgeon_core::growth::{Claim, Gain, Growth, Side};
use burgeon_core::{BlockWeights, Candidate, MAX_ADDED, Place, Plan, Scheme, WeightBound};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::candidates::{channel, site, split};

#[test]
fn weights_are_as_long_as_they_usually_start() {
    let weights = BlockWeights {
        count: 16,
        deviation: 0.25,
    };
    assert_eq!(weights.length(), 1.0);
    let more = BlockWeights {
        count: 100,
        deviation: 3.0,
    };
    assert_eq!(more.length(), 30.0);
}

#[test]
fn places_and_claims_are_told_in_words() {
    let place = |after| Place {
        stack: "body".into(),
        after,
        opening: Vec::new(),
        closing: Vec::new(),
        price: 3,
    };
    assert_eq!(place(None).to_string(), "body at the front");
    assert_eq!(place(Some(4)).to_string(), "body behind block 4");
    let layer = Candidate::new_layer(&place(Some(4)), vec![1.0], vec![2.0]);
    assert_eq!(layer.growth.to_string(), "body behind block 4: new layer");
    let claims: Vec<String> = layer.growth.claims().iter().map(Claim::to_string).collect();
    assert_eq!(claims, ["stack `body` behind block 4"]);
    let split = split("a", 2, Scheme::Four);
    assert_eq!(split.growth.to_string(), "a neuron 2: four");
    assert_eq!(split.growth.claims()[0].to_string(), "neuron 2 of site `a`");
    assert_eq!(channel(&split), Some(("a", 2)));
    let new = Candidate::new_neuron(&site("a", 3), vec![1.0], Vec::new(), Side::FanOut);
    assert_eq!(new.growth.to_string(), "a: new neuron");
}

#[test]
fn a_plan_lists_its_growths_with_price_and_gain() {
    let cheap = Candidate {
        price: 3,
        ..split("a", 2, Scheme::Positive2)
    };
    let dear = Candidate {
        price: 40,
        ..split("b", 0, Scheme::Four).with_gain(Gain::second(0.5))
    };
    let plan = Plan::new("test", vec![cheap, dear]);
    let expected = "test: 2 growths\n  a neuron 2: positive2, price 3\
                    \n  b neuron 0: four, price 40, gain 5.000e-1·ε²";
    assert_eq!(plan.to_string(), expected);
    assert!(!plan.is_empty() && Plan::new("none", Vec::new()).is_empty());
    assert_eq!(plan.predicted_decrease(2.0), None, "one predicts nothing");
    assert_eq!(plan.added_neurons(), 4);
}

#[test]
fn candidates_cost_what_their_site_says() {
    let mut dear = site("a", 9);
    dear.added_costs = [5, 11, 18];
    let many = Scheme::Four.offspring(&[1.0], &[1.0], WeightBound::POSITIVE);
    let more = [many.clone(), many.clone()].concat();
    let price = |copies| Candidate::split(&dear, 0, Scheme::Four, copies).price;
    assert_eq!(price(many), 18);
    // More than are priced cost as much as the most that are.
    assert_eq!((price(more), MAX_ADDED), (18, 3));
    let plain = split("a", 0, Scheme::Four).with_score(0.5);
    assert_eq!((plain.value(), plain.score), (0.5, 0.5));
    let predicted = plain.with_gain(Gain::first(2.0));
    assert_eq!((predicted.value(), predicted.score), (2.0, 0.5));
    // Only a new neuron is like another one.
    let own = split("a", 1, Scheme::Four);
    assert_eq!(own.clone().like(3), own);
    let new = Candidate::new_neuron(&dear, vec![1.0], Vec::new(), Side::FanOut).like(3);
    match new.growth {
        Growth::NewNeuron(new) => assert_eq!(new.like, Some(3)),
        other => panic!("{other}"),
    }
}

#[test]
fn errors_of_a_landscape_are_equal_to_themselves_alone() {
    let one = LandscapeError(Arc::new(std::fmt::Error));
    assert_eq!(one, one.clone());
    assert_ne!(one, LandscapeError(Arc::new(std::fmt::Error)));
}

#[test]
fn directions_are_uniform_and_of_length_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for dim in [1, 2, 7] {
        let mut sums = vec![0.0; dim];
        let mut squares = vec![0.0; dim];
        for _ in 0..4000 {
            let drawn = unit_vector(dim, &mut rng);
            let norm: f64 = drawn.iter().map(|value| value * value).sum();
            assert!((norm - 1.0).abs() < 1e-12);
            for (place, value) in drawn.into_iter().enumerate() {
                sums[place] += value / 4000.0;
                squares[place] += value * value / 4000.0;
            }
        }
        assert!(sums.iter().all(|mean| mean.abs() < 0.08), "{sums:?}");
        let each = 1.0 / dim as f64;
        assert!(squares.iter().all(|square| (square - each).abs() < 0.05));
    }
}
