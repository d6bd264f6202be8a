//! Growths and plans as they are written, checked and predicted; what a line search found.

#[path = "common/candidates.rs"]
mod candidates;

use burgeon_core::growth::{Gain, Growth, NewLayer, NewNeuron, Order, Removal, Side, Split};
use burgeon_core::{
    BlockWeights, Candidate, CoreError, LineSearch, Offspring, Place, Plan, PlannedGrowth, Scheme,
    Trial, WeightBound,
};
use candidates::{channel, site, split};
use proptest::prelude::*;

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1e3_f64..1e3, 0..5)
}

fn any_split() -> impl Strategy<Value = Growth> {
    let scheme = prop::sample::select(Scheme::DIRECTED.to_vec());
    let ends = [numbers(), numbers()];
    (scheme, 0_usize..9, ends, 1.0_f64..9.0).prop_map(|(scheme, neuron, [min, max], c)| {
        let bound = WeightBound::new(c).expect("at least 1");
        Growth::Split(Split {
            site: "a".into(),
            neuron,
            scheme,
            offspring: scheme.offspring(&min, &max, bound),
        })
    })
}

fn any_new_neuron() -> impl Strategy<Value = Growth> {
    let side = prop_oneof![Just(Side::FanIn), Just(Side::FanOut)];
    (numbers(), numbers(), numbers(), side).prop_map(|(fan_in, fan_out, statistics, scaled)| {
        Growth::NewNeuron(NewNeuron {
            site: "b".into(),
            fan_in,
            fan_out,
            scaled,
            statistics,
            like: None,
        })
    })
}

fn any_new_layer() -> impl Strategy<Value = Growth> {
    let after = proptest::option::of(0_usize..4);
    (numbers(), numbers(), after).prop_map(|(opening, closing, after)| {
        Growth::NewLayer(NewLayer {
            stack: "e".into(),
            after,
            opening,
            closing,
        })
    })
}

fn growths() -> impl Strategy<Value = Growth> {
    let removal = (0_usize..9).prop_map(|neuron| {
        Growth::Removal(Removal {
            site: "c".into(),
            neuron,
        })
    });
    prop_oneof![any_split(), any_new_neuron(), any_new_layer(), removal]
}

fn gains() -> impl Strategy<Value = Option<Gain>> {
    let one = (-1e3_f64..1e3, any::<bool>()).prop_map(|(value, is_first)| match is_first {
        true => Gain::first(value),
        false => Gain::second(value),
    });
    proptest::option::of(one)
}

fn plans() -> impl Strategy<Value = Plan> {
    let one = (growths(), gains(), any::<u64>());
    let one = one.prop_map(|(growth, gain, price)| PlannedGrowth {
        growth,
        gain,
        price,
    });
    prop::collection::vec(one, 0..6).prop_map(|growths| Plan {
        criterion: "test".into(),
        growths,
    })
}

proptest! {
    /// Bit for bit.
    #[test]
    fn plans_of_all_growths_survive_json(plan in plans()) {
        let text = serde_json::to_string(&plan).expect("serialisable");
        let back: Plan = serde_json::from_str(&text).expect("readable");
        prop_assert_eq!(&back, &plan);
        prop_assert_eq!(serde_json::to_string(&back).expect("serialisable"), text);
        for growth in plan.growths() {
            let text = serde_json::to_string(growth).expect("serialisable");
            let back: Growth = serde_json::from_str(&text).expect("readable");
            prop_assert_eq!(&back, growth);
        }
    }

    #[test]
    fn plans_are_sums_of_their_growths(plan in plans(), epsilon in -2.0_f64..2.0) {
        let added = |growth: &Growth| match growth {
            Growth::Split(split) => split.scheme.copies() as isize - 1,
            Growth::NewNeuron(_) => 1,
            Growth::NewLayer(_) => 0,
            _ => -1,
        };
        let of = |name: &str| -> isize {
            let own = plan.growths().filter(|growth| growth.site() == name);
            own.map(added).sum()
        };
        for name in ["a", "b", "c", "d", "e"] {
            prop_assert_eq!(plan.channels_added(name), of(name));
        }
        prop_assert_eq!(plan.added_neurons(), of("a") + of("b") + of("c"));
        let parts = plan.by_site();
        let together: usize = parts.values().map(|part| part.growths.len()).sum();
        prop_assert_eq!(together, plan.growths.len());
        for (name, part) in &parts {
            let own = plan.growths().filter(|growth| growth.site() == name);
            prop_assert!(part.growths().eq(own), "in their order");
            prop_assert_eq!(&part.criterion, &plan.criterion);
        }
        let mut decrease = Some(0.0);
        for planned in &plan.growths {
            let gain = planned.gain.map(|gain| match gain.order {
                Order::First => gain.value * epsilon,
                Order::Second => gain.value * epsilon * epsilon,
            });
            decrease = decrease.zip(gain).map(|(sum, gain)| sum + gain);
        }
        match (plan.predicted_decrease(epsilon), decrease) {
            (Some(found), Some(sum)) => prop_assert!((found - sum).abs() <= 1e-9),
            (found, sum) => prop_assert_eq!(found, sum),
        }
    }

    /// The step of least loss among those that have one, the first of equal ones.
    #[test]
    fn the_best_step_is_that_of_least_loss(
        losses in prop::collection::vec(proptest::option::of(0_u8..5), 0..9),
    ) {
        let trials = losses.iter().enumerate().map(|(place, loss)| Trial {
            epsilon: place as f64,
            loss: loss.map(f64::from),
        });
        let search = LineSearch { baseline: 2.0, trials: trials.collect() };
        let least = losses.iter().flatten().min();
        let expected = least.map(|least| {
            let place = losses.iter().position(|loss| *loss == Some(*least));
            (place.expect("it is there") as f64, f64::from(*least))
        });
        prop_assert_eq!(search.best(), expected);
    }
}

#[test]
fn gains_are_powers_of_the_step() {
    for (gain, at_half) in [(Gain::first(3.0), 1.5), (Gain::second(3.0), 0.75)] {
        assert_eq!(gain.at(0.0), 0.0);
        assert_eq!(gain.at(1.0), 3.0);
        assert_eq!(gain.at(0.5), at_half);
    }
    assert_eq!(Gain::first(3.0).at(-0.5), -1.5);
    assert_eq!(Gain::second(3.0).at(-0.5), 0.75);
    assert_eq!(Gain::first(0.25).to_string(), "2.500e-1·ε");
    assert_eq!(Gain::second(0.25).to_string(), "2.500e-1·ε²");
}

/// What journals hold stays readable.
#[test]
fn growths_are_written_by_their_kinds() {
    let text = r#"{"criterion":"c","growths":[
        {"growth":{"split":{"site":"a","neuron":2,"scheme":"positive2","offspring":[
            {"weight":0.5,"offset":[1.0]},{"weight":0.5,"offset":[-1.0]}]}},
         "gain":{"value":0.25,"order":"second"},"price":7},
        {"growth":{"new_neuron":{"site":"b","fan_in":[1.0,2.0],"fan_out":[],"scaled":"fan_out"}},
         "gain":{"value":0.5,"order":"first"},"price":3},
        {"growth":{"removal":{"site":"c","neuron":1}},"gain":null,"price":0}]}"#;
    let plan: Plan = serde_json::from_str(text).expect("readable");
    assert!(plan.validate().is_ok());
    let copies = Scheme::Positive2.offspring(&[1.0], &[1.0], WeightBound::POSITIVE);
    let expected = vec![
        Candidate {
            price: 7,
            ..Candidate::split(&site("a", 3), 2, Scheme::Positive2, copies)
        }
        .with_gain(Gain::second(0.25)),
        Candidate {
            price: 3,
            ..Candidate::new_neuron(&site("b", 1), vec![1.0, 2.0], Vec::new(), Side::FanOut)
        }
        .with_gain(Gain::first(0.5)),
        removal("c", 1),
    ];
    assert_eq!(plan, Plan::new("c", expected));
    let written: serde_json::Value = serde_json::to_value(&plan).expect("serialisable");
    let read: serde_json::Value = serde_json::from_str(text).expect("readable");
    assert_eq!(written, read);
    let printed = plan.to_string();
    for part in [
        "c: 3 growths",
        "a neuron 2: positive2, price 7, gain 2.500e-1·ε²",
        "removal",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
}

fn removal(name: &str, neuron: usize) -> Candidate {
    let site = site(name, neuron + 1);
    let name = name.to_owned();
    let growth = Growth::Removal(Removal { site: name, neuron });
    Candidate::new(&site, growth)
}

fn new_neuron(fan_in: Vec<f64>, fan_out: Vec<f64>) -> Candidate {
    Candidate::new_neuron(&site("site", 3), fan_in, fan_out, Side::FanOut)
}

fn problem(candidates: Vec<Candidate>) -> CoreError {
    let plan = Plan::new("test", candidates);
    plan.validate().expect_err("it is unsound")
}

#[test]
fn a_channel_is_grown_once() {
    let halves = || split("site", 1, Scheme::Positive2);
    let again = || split("site", 1, Scheme::Net2Wider);
    for pair in [
        vec![halves(), halves()],
        vec![halves(), again()],
        vec![halves(), removal("site", 1)],
        vec![removal("site", 1), removal("site", 1)],
        vec![
            removal("site", 1),
            split("site", 2, Scheme::Positive2),
            halves(),
        ],
    ] {
        let claimed = channel(&pair[0]).map(|(site, neuron)| format!("{neuron} of site `{site}`"));
        let error = problem(pair);
        assert!(matches!(error, CoreError::ClaimedTwice { .. }), "{error}");
        let claimed = claimed.expect("it changes a channel");
        assert!(error.to_string().contains(&claimed), "{error}");
    }
    let new = || new_neuron(vec![1.0], Vec::new());
    let other = split("other", 1, Scheme::Positive2);
    let sound = vec![halves(), removal("site", 0), new(), new(), other];
    assert_eq!(Plan::new("test", sound).validate(), Ok(()));
}

#[test]
fn the_weights_of_copies_sum_to_one() {
    let with = |weights: &[f64]| {
        let copies = weights.iter().map(|weight| Offspring {
            weight: *weight,
            offset: vec![1.0],
        });
        let site = site("site", 1);
        Candidate::split(&site, 0, Scheme::Positive2, copies.collect())
    };
    for weights in [
        &[][..],
        &[0.0],
        &[0.5, 0.5 + 1e-8],
        &[0.5, 0.4],
        &[1.0, 1.0],
        &[f64::NAN, 1.0],
        &[f64::INFINITY, f64::NEG_INFINITY],
        &[f64::INFINITY],
    ] {
        let error = problem(vec![with(weights)]);
        assert!(matches!(error, CoreError::Parameter { .. }), "{error}");
        assert!(error.to_string().contains("site neuron 0"), "{error}");
    }
    for weights in [&[1.0][..], &[0.5, 0.5], &[3.0, -2.0], &[0.1; 10]] {
        let plan = Plan::new("test", vec![with(weights)]);
        assert_eq!(plan.validate(), Ok(()));
    }
}

#[test]
fn a_new_neuron_has_a_side_that_is_not_zero() {
    for (fan_in, fan_out) in [
        (vec![], vec![]),
        (vec![0.0, -0.0], vec![]),
        (vec![], vec![0.0]),
        (vec![0.0; 3], vec![0.0; 2]),
    ] {
        let error = problem(vec![new_neuron(fan_in, fan_out)]);
        assert!(matches!(error, CoreError::Parameter { .. }), "{error}");
        assert!(error.to_string().contains("never learns"), "{error}");
    }
    for (fan_in, fan_out) in [
        (vec![f64::NAN], vec![1.0]),
        (vec![1.0], vec![f64::INFINITY]),
        (vec![0.0, f64::NEG_INFINITY], vec![]),
    ] {
        let error = problem(vec![new_neuron(fan_in, fan_out)]);
        assert!(matches!(error, CoreError::NonFinite { .. }), "{error}");
    }
    for (fan_in, fan_out, is_silent) in [
        (vec![0.0, 1e-300], vec![], true),
        (vec![1.0], vec![0.0], true),
        (vec![], vec![0.0, 1.0], false),
        (vec![1.0], vec![1.0], false),
    ] {
        let candidate = new_neuron(fan_in, fan_out);
        assert_eq!(candidate.growth.is_neutral(), is_silent);
        let plan = Plan::new("test", vec![candidate]);
        assert_eq!(plan.validate(), Ok(()));
        assert_eq!(plan.is_neutral(), is_silent);
    }
    // A fan-in of 0 is 0 whatever multiplies it.
    for (fan_in, is_neutral) in [
        (vec![], true),
        (vec![0.0, -0.0], true),
        (vec![1e-300], false),
    ] {
        let site = site("site", 3);
        let new = Candidate::new_neuron(&site, fan_in, vec![1.0], Side::FanIn);
        assert_eq!(new.growth.is_neutral(), is_neutral, "{}", new.growth);
    }
}

fn new_layer(after: Option<usize>, opening: Vec<f64>, closing: Vec<f64>) -> Candidate {
    let weights = |count| BlockWeights {
        count,
        deviation: 0.5,
    };
    let place = Place {
        stack: "body".into(),
        after,
        opening: vec![weights(opening.len())],
        closing: vec![weights(closing.len())],
        price: 13,
    };
    Candidate::new_layer(&place, opening, closing)
}

#[test]
fn a_place_takes_one_layer_that_can_learn() {
    let one = |after| new_layer(after, vec![1.0], vec![1.0]);
    let error = problem(vec![one(Some(2)), one(None), one(Some(2))]);
    assert!(matches!(error, CoreError::ClaimedTwice { .. }), "{error}");
    assert!(
        error.to_string().contains("stack `body` behind block 2"),
        "{error}"
    );
    let sound = vec![one(Some(2)), one(None), one(Some(0)), removal("body", 2)];
    assert_eq!(Plan::new("test", sound).validate(), Ok(()));
    let dead = problem(vec![new_layer(None, vec![0.0, -0.0], vec![0.0])]);
    assert!(dead.to_string().contains("never learns"), "{dead}");
    for (opening, closing) in [
        (vec![f64::NAN], vec![1.0]),
        (vec![1.0], vec![f64::INFINITY]),
    ] {
        let error = problem(vec![new_layer(None, opening, closing)]);
        assert!(matches!(error, CoreError::NonFinite { .. }), "{error}");
    }
    for (opening, closing, is_neutral) in [
        (vec![1.0], vec![0.0], true),
        (vec![], vec![0.0], true),
        (vec![], vec![1.0], false),
        (vec![0.0], vec![1.0], false),
    ] {
        let candidate = new_layer(None, opening, closing);
        let growth = &candidate.growth;
        assert_eq!((growth.site(), growth.label()), ("body", "new layer"));
        assert_eq!((growth.channels_added(), candidate.price), (0, 13));
        assert!(growth.is_addition() && growth.preserves_outputs());
        assert_eq!(growth.is_neutral(), is_neutral);
        assert_eq!(Plan::new("test", vec![candidate]).validate(), Ok(()));
    }
    assert!(!removal("body", 0).growth.is_addition());
}

#[test]
fn what_growths_say_of_themselves() {
    let grown = [
        (split("site", 4, Scheme::Four), 3, Some(4), true, "four"),
        (new_neuron(vec![1.0], vec![]), 1, None, true, "new neuron"),
        (removal("site", 2), -1, Some(2), false, "removal"),
    ];
    for (candidate, added, claimed, preserves, label) in grown {
        let growth = &candidate.growth;
        assert_eq!(growth.site(), "site");
        assert_eq!(growth.channels_added(), added);
        assert_eq!(growth.preserves_outputs(), preserves);
        assert_eq!(growth.is_addition(), added > 0);
        assert_eq!(growth.label(), label);
        assert_eq!(growth.claims().len(), usize::from(claimed.is_some()));
        assert_eq!(channel(&candidate).map(|(_, neuron)| neuron), claimed);
        assert_eq!(
            Plan::new("test", vec![candidate.clone()]).is_neutral(),
            claimed.is_none()
        );
    }
    let priced = |growth| {
        let mut site = site("site", 9);
        site.added_costs = [5, 11, 18];
        Candidate::new(&site, growth).price
    };
    assert_eq!(priced(split("site", 0, Scheme::Positive2).growth), 5);
    assert_eq!(priced(split("site", 0, Scheme::Mixed3).growth), 11);
    assert_eq!(priced(split("site", 0, Scheme::Four).growth), 18);
    assert_eq!(priced(new_neuron(vec![1.0], vec![]).growth), 5);
    assert_eq!(priced(removal("site", 0).growth), 0);
}
