//! All criteria on a network without Burn.

#[path = "../common/mod.rs"]
mod common;
mod first_order;
mod probes;
mod slopes;
mod tiny;
#[path = "../common/toy.rs"]
mod toy;

use std::sync::Arc;

use burgeon_core::criterion::{
    Candidate, Context, Criterion, Net2Net, RandomNeuron, RandomSignedSplit, RandomSplit,
    SignedSteepestDescent, SteepestDescent,
};
use burgeon_core::growth::{Growth, NewNeuron, Order, Side};
use burgeon_core::{
    Capture, CapturedLandscape, CoreError, Curvature, CurvatureBlock, Landscape, Needs, Plan,
    Scheme, Site, SiteInput, SplitBackend, WeightBound,
};
use burn::tensor::{DType, Tensor, TensorData};
use common::Plain;
use proptest::prelude::*;
use toy::{OUTPUTS, Toy};

fn bound(c: f64) -> WeightBound {
    WeightBound::new(c).expect("at least 1")
}

fn every_criterion() -> Vec<Box<dyn Criterion>> {
    vec![
        Box::new(SteepestDescent),
        Box::new(SignedSteepestDescent::new(bound(3.0))),
        Box::new(RandomSplit),
        Box::new(RandomSignedSplit::new(bound(3.0))),
        Box::new(Net2Net),
        Box::new(RandomNeuron::zero_fan_out()),
        Box::new(RandomNeuron::zero_fan_in()),
    ]
}

/// Sites of one neuron and of one dimension among them.
fn toy(seed: u64) -> Toy {
    let sites = [("first", 4, 5), ("second", 1, 2), ("third", 6, 1)];
    Toy::new(&sites, false, seed)
}

fn asked(criterion: &dyn Criterion, landscape: &dyn Landscape, seed: u64) -> Vec<Candidate> {
    let found = criterion.candidates(landscape, &mut Context::seeded(seed));
    found.unwrap_or_else(|error| panic!("{}: {error}", criterion.name()))
}

fn alone(candidate: &Candidate) -> Plan {
    Plan::new("test", vec![candidate.clone()])
}

/// The loss under `candidate` at `epsilon` less that of the network as it is.
fn change(toy: &Toy, candidate: &Candidate, epsilon: f64) -> f64 {
    let search = toy.losses(&alone(candidate), &[epsilon]);
    let search = search.unwrap_or_else(|error| panic!("{}: {error}", candidate.growth));
    search.trials[0].loss.expect("finite") - search.baseline
}

fn site_of<'a>(toy: &'a Toy, candidate: &Candidate) -> &'a Site {
    let mut sites = toy.sites().iter();
    let site = sites.find(|site| site.name == candidate.growth.site());
    site.expect("a candidate of a site")
}

/// What every candidate must be, at the place in the list that it has.
fn fits(toy: &Toy, candidate: &Candidate) -> Result<(), TestCaseError> {
    let site = site_of(toy, candidate);
    candidate.growth.check().expect("sound in itself");
    prop_assert!(candidate.score.is_finite());
    match &candidate.growth {
        Growth::Split(split) => {
            prop_assert!(split.neuron < site.neurons);
            prop_assert_eq!(split.offspring.len(), split.scheme.copies());
            for copy in &split.offspring {
                prop_assert_eq!(copy.offset.len(), site.dim);
                // In one dimension there are no two orthogonal directions to draw.
                let most = if site.dim == 1 { 2.0_f64.sqrt() } else { 1.0 };
                let norm = copy.offset.iter().map(|v| v * v).sum::<f64>().sqrt();
                prop_assert!(norm <= most + 1e-12);
            }
            let added = split.offspring.len() - 1;
            prop_assert_eq!(candidate.price, site.added_costs[added - 1]);
        }
        Growth::NewNeuron(new) => {
            prop_assert!(new.fan_in.is_empty() || new.fan_in.len() == site.dim);
            prop_assert!(new.fan_out.is_empty() || new.fan_out.len() == OUTPUTS);
            prop_assert_eq!(candidate.price, site.added_costs[0]);
        }
        other => prop_assert!(false, "{} is proposed", other),
    }
    let moved = change(toy, candidate, 0.0).abs();
    prop_assert!(moved <= 1e-12, "{} moves by {moved} at 0", candidate.growth);
    Ok(())
}

/// The numbers of sites and neurons, for the order; new neurons have none.
fn rank(toy: &Toy, candidate: &Candidate) -> (usize, usize) {
    let site = candidate.growth.site();
    let site = toy.sites().iter().position(|other| other.name == site);
    let neuron = match &candidate.growth {
        Growth::Split(split) => split.neuron,
        _ => 0,
    };
    (site.expect("a site"), neuron)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn candidates_fit_their_sites_and_leave_the_network_as_it_is(
        network in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let toy = toy(network);
        for criterion in every_criterion() {
            let candidates = asked(criterion.as_ref(), &toy, seed);
            for candidate in &candidates {
                fits(&toy, candidate)?;
            }
            let ranks: Vec<_> = candidates.iter().map(|c| rank(&toy, c)).collect();
            prop_assert!(ranks.is_sorted(), "{}", criterion.name());
            // All together are a plan too: no channel is claimed twice.
            let all = Plan::new(criterion.name(), candidates);
            prop_assert!(all.validate().is_ok(), "{}", criterion.name());
            let together = toy.losses(&all, &[0.0]).expect("fits");
            let moved = together.trials[0].loss.expect("finite") - together.baseline;
            prop_assert!(moved.abs() <= 1e-12, "{}: {moved}", criterion.name());
        }
    }

    #[test]
    fn chance_follows_from_the_seed_alone(network in any::<u64>(), seed in any::<u64>()) {
        let toy = toy(network);
        for criterion in every_criterion() {
            let [first, again, other] = [seed, seed, seed ^ 1]
                .map(|seed| asked(criterion.as_ref(), &toy, seed));
            prop_assert_eq!(&first, &again, "{}", criterion.name());
            let is_random = !criterion.needs().spectra;
            prop_assert_eq!(first != other, is_random, "{}", criterion.name());
        }
    }

    /// The toy is quadratic in the copies' offsets, so that the loss at ε is known up to ε⁴.
    #[test]
    fn spectral_gains_are_what_is_measured(network in any::<u64>(), c in 1.0_f64..6.0) {
        const EPSILON: f64 = 0.02;
        let toy = toy(network);
        let signed = SignedSteepestDescent::new(bound(c));
        for criterion in [&SteepestDescent as &dyn Criterion, &signed] {
            for candidate in asked(criterion, &toy, 0) {
                let gain = candidate.gain.expect("predicted");
                prop_assert_eq!(gain.order, Order::Second);
                prop_assert!(gain.value > 0.0);
                let copies = match &candidate.growth {
                    Growth::Split(split) => split.offspring.len(),
                    other => panic!("{other} is no split"),
                };
                let share = gain.value / (copies - 1) as f64;
                prop_assert!((candidate.score - share).abs() <= 1e-12 * share);
                let measured = -change(&toy, &candidate, EPSILON);
                // ½ ε⁴ q² of the outputs' second-order change q; ‖q‖ ≤ c ‖a‖ ‖A‖ < 60.
                let slack = 0.5 * EPSILON.powi(4) * 60.0 * 60.0 + 1e-12;
                let expected = gain.at(EPSILON);
                prop_assert!(
                    (measured - expected).abs() <= slack,
                    "{}: {measured} instead of {expected}", candidate.growth
                );
            }
        }
    }

    #[test]
    fn steepest_descent_splits_what_is_unstable_and_signed_splitting_more(
        network in any::<u64>(),
    ) {
        let toy = toy(network);
        let plain = asked(&SteepestDescent, &toy, 0);
        let signed = asked(&SignedSteepestDescent::new(bound(3.0)), &toy, 0);
        // Of all schemes that of most gain for each neuron it adds.
        let captured = toy.capture(Needs::SPECTRA).expect("captured");
        for candidate in &signed {
            let (site, neuron) = rank(&toy, candidate);
            let spectra = captured.sites[site].spectra.as_ref().expect("asked for");
            let shares = Scheme::DIRECTED.into_iter().filter_map(|scheme| {
                let (copies, gain) = scheme.best_split(&spectra.spectra[neuron], bound(3.0))?;
                Some(gain / (copies.len() - 1) as f64)
            });
            prop_assert_eq!(Some(candidate.score), shares.reduce(f64::max));
        }
        let with_bound_one = asked(&SignedSteepestDescent::new(WeightBound::POSITIVE), &toy, 0);
        prop_assert_eq!(&with_bound_one, &plain);
        let unstable: Vec<(usize, usize, f64)> = toy
            .least()
            .into_iter()
            .enumerate()
            .flat_map(|(site, least)| {
                let least = least.into_iter().enumerate();
                least.map(move |(neuron, least)| (site, neuron, least))
            })
            .filter(|(_, _, least)| *least < 0.0)
            .collect();
        prop_assert_eq!(plain.len(), unstable.len());
        for (candidate, (site, neuron, least)) in plain.iter().zip(unstable) {
            prop_assert_eq!(rank(&toy, candidate), (site, neuron));
            let gain = candidate.gain.expect("predicted").value;
            prop_assert!((gain + 0.5 * least).abs() <= 1e-12 * gain);
            let better = signed.iter().find(|c| rank(&toy, c) == (site, neuron));
            prop_assert!(better.is_some_and(|c| c.score >= candidate.score));
        }
        // In one dimension a matrix has one sign: negative copies split what is stable.
        prop_assert!(signed.len() > plain.len() || plain.len() == 11);
    }

    #[test]
    fn undirected_splits_are_one_for_each_neuron(network in any::<u64>(), seed in any::<u64>()) {
        let toy = toy(network);
        let signed = RandomSignedSplit::new(bound(2.5));
        let criteria: [(&dyn Criterion, &[Scheme]); 3] = [
            (&RandomSplit, &[Scheme::Positive2]),
            (&Net2Net, &[Scheme::Net2Wider]),
            (&signed, &Scheme::DIRECTED),
        ];
        for (criterion, schemes) in criteria {
            let candidates = asked(criterion, &toy, seed);
            let ranks: Vec<_> = candidates.iter().map(|c| rank(&toy, c)).collect();
            let sites = toy.sites().iter().enumerate();
            let all: Vec<_> = sites
                .flat_map(|(number, site)| (0..site.neurons).map(move |neuron| (number, neuron)))
                .collect();
            prop_assert_eq!(ranks, all);
            for candidate in &candidates {
                prop_assert!(candidate.gain.is_none());
                prop_assert!((0.0..1.0).contains(&candidate.score));
                prop_assert_eq!(candidate.value(), candidate.score);
                let Growth::Split(split) = &candidate.growth else {
                    panic!("{} is no split", candidate.growth);
                };
                prop_assert!(schemes.contains(&split.scheme));
                if criterion.name() == "net2net" {
                    continue;
                }
                // Centred: at order ε nothing moves.
                let site = site_of(&toy, candidate);
                if split.scheme == Scheme::Four && site.dim > 1 {
                    // Along ± two directions, orthogonal and of length 1.
                    let [min, _, max, _] = &split.offspring[..] else {
                        panic!("four copies");
                    };
                    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    let (min, max) = (&min.offset, &max.offset);
                    prop_assert!(dot(min, max).abs() < 1e-9);
                    prop_assert!((dot(min, min) - 1.0).abs() < 1e-9);
                    prop_assert!((dot(max, max) - 1.0).abs() < 1e-9);
                }
                let mean = |entry: usize| -> f64 {
                    split.offspring.iter().map(|copy| copy.weight * copy.offset[entry]).sum()
                };
                let longest = (0..site.dim).map(|entry| mean(entry).abs()).fold(0.0, f64::max);
                prop_assert!(longest <= 1e-12, "{}: {longest}", candidate.growth);
            }
        }
    }

    #[test]
    fn random_neurons_are_as_long_as_the_others(network in any::<u64>(), seed in any::<u64>()) {
        let toy = toy(network);
        let norms = toy.capture(Needs::NORMS).expect("captured");
        for (criterion, zero) in [
            (RandomNeuron::zero_fan_out(), Side::FanOut),
            (RandomNeuron::zero_fan_in(), Side::FanIn),
        ] {
            let candidates = asked(&criterion, &toy, seed);
            for site in &norms.sites {
                let own = candidates.iter().filter(|c| c.growth.site() == site.name);
                prop_assert_eq!(own.count(), site.neurons);
            }
            for candidate in &candidates {
                prop_assert!((0.0..1.0).contains(&candidate.score));
                prop_assert!(candidate.gain.is_none());
                let Growth::NewNeuron(NewNeuron { site, fan_in, fan_out, scaled, .. }) =
                    &candidate.growth
                else {
                    panic!("{} is no new neuron", candidate.growth);
                };
                prop_assert_eq!(*scaled, zero);
                let site = norms.sites.iter().find(|other| other.name == *site).expect("a site");
                let norms = site.norms.expect("captured");
                let (empty, drawn, norm) = match zero {
                    Side::FanOut => (fan_out, fan_in, norms.fan_in),
                    Side::FanIn => (fan_in, fan_out, norms.fan_out),
                };
                prop_assert!(empty.is_empty());
                let length = drawn.iter().map(|v| v * v).sum::<f64>().sqrt();
                prop_assert!((length - norm).abs() <= 1e-12 * norm, "{length} of {norm}");
                prop_assert!(candidate.growth.is_neutral());
                // The other side is the optimizer's to move: no step does.
                prop_assert!(change(&toy, candidate, 0.7).abs() <= 1e-12);
            }
        }
    }
}

#[test]
fn criteria_ask_for_what_they_say_that_they_need() {
    for criterion in every_criterion() {
        let toy = toy(1);
        asked(criterion.as_ref(), &toy, 0);
        let asked = toy.asked.into_inner().expect("no panic");
        let needs = criterion.needs();
        match needs == Needs::SHAPES {
            true => assert_eq!(asked, [], "{}", criterion.name()),
            false => assert_eq!(asked, [needs], "{}", criterion.name()),
        }
    }
    let names: Vec<String> = every_criterion()
        .iter()
        .map(|criterion| criterion.name().to_owned())
        .collect();
    let expected = [
        "s2d",
        "s3d",
        "random",
        "random-signed",
        "net2net",
        "random-neuron",
        "random-neuron-zero-fan-in",
    ];
    assert_eq!(names, expected);
}

#[test]
fn zero_fan_ins_are_refused_behind_a_kink() {
    let toy = Toy::new(&[("smooth", 2, 3), ("kinked", 2, 3)], true, 3);
    let refused = RandomNeuron::zero_fan_in().candidates(&toy, &mut Context::seeded(0));
    match refused {
        Err(CoreError::DeadStart { site }) => assert_eq!(site, "smooth", "it is the first"),
        other => panic!("{other:?} where neurons never learn"),
    }
    let candidates = asked(&RandomNeuron::zero_fan_out(), &toy, 0);
    assert_eq!(candidates.len(), 4);
    assert!(
        candidates
            .iter()
            .all(|candidate| change(&toy, candidate, 0.5).abs() < 1e-12)
    );
}

/// A site of two neurons with one row of data.
fn captured() -> Capture {
    let tensor = |values: Vec<f64>, shape: [usize; 2]| {
        let data = TensorData::new(values, shape);
        Tensor::from_data(data, (&Plain.device(), DType::F64))
    };
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(vec![1.0, 2.0, 2.0], [1, 3])),
        bias: false,
        weights: tensor(vec![-1.0, 0.5], [1, 2]),
    };
    let curvature = Curvature::new("site", vec![block]).expect("sound");
    let site = Site {
        name: "site".into(),
        neurons: 2,
        dim: 3,
        fan_out: 1,
        is_normalised: false,
        added_costs: [4, 8, 12],
        norms: None,
        moments: None,
        curvature: Some(curvature),
        spectra: None,
    };
    Capture {
        sites: vec![site],
        samples: 1,
        loss: 1.0,
        bytes: 0,
    }
}

#[test]
fn what_was_captured_is_a_landscape_without_losses() {
    let landscape = CapturedLandscape::new(captured(), &Plain);
    assert!(landscape.sites()[0].curvature.is_none());
    let shapes = landscape.capture(Needs::SHAPES).expect("there");
    assert!(shapes.sites[0].spectra.is_none(), "nobody asked");
    let candidates = asked(&SteepestDescent, &landscape, 0);
    let [candidate] = &candidates[..] else {
        panic!("one neuron of two is unstable: {candidates:?}");
    };
    // S = −x xᵀ has the eigenvalue −9.
    let gain = candidate.gain.expect("predicted").value;
    assert!((gain - 4.5).abs() < 1e-6, "{gain}");
    assert_eq!(candidate.price, 4);
    let [first, again] = [0, 1].map(|_| landscape.capture(Needs::SPECTRA).expect("solved"));
    assert!(Arc::ptr_eq(&first, &again), "solved once");
    assert!(first.sites[0].curvature.is_none(), "let go");
    assert_eq!(asked(&RandomSplit, &landscape, 0).len(), 2);
    let none = landscape.losses(&alone(candidate), &[0.1]);
    assert_eq!(none, Err(CoreError::NoNetwork));
}
