//! Plans for random networks.

use burgeon_core::criterion::{Context, Criterion, SignedSteepestDescent, SteepestDescent};
use burgeon_core::growth::{Growth, NewNeuron, Removal, Side, Split};
use burgeon_core::select::{Room, Selector, TopK};
use burgeon_core::{
    CapturedLandscape, Method, Plan, PlannedGrowth, Scheme, SpectrumSolver, SplitBackend,
    WeightBound,
};
use burgeon_graph::Graph;
use burgeon_nn::{MeanSquaredError, Samples, SpectrumConfig, capture_spectra, trace};
use burn::tensor::Tensor;
use nalgebra::DVector;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::net::RandomNet;

/// What `net` computes.
pub fn graph(net: &RandomNet, data: &Samples<Tensor<4>>) -> Graph {
    let traced = trace(net, data).expect("a random network is traceable");
    traced.graph().clone()
}

pub fn bound(value: f64) -> WeightBound {
    WeightBound::new(value).expect("in range")
}

pub fn unit_vector(dim: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = DVector::from_fn(dim, |_, _| rng.random_range(-1.0..1.0));
    draw.normalize().as_slice().to_vec()
}

/// Two orthogonal unit vectors; twice the same in one dimension.
pub fn orthonormal(dim: usize, seed: u64) -> [Vec<f64>; 2] {
    let first = DVector::from_vec(unit_vector(dim, seed));
    let draw = DVector::from_vec(unit_vector(dim, seed ^ 0x5eed));
    let second = match dim {
        1 => first.clone(),
        _ => (&draw - &first * first.dot(&draw)).normalize(),
    };
    [first, second].map(|vector| vector.as_slice().to_vec())
}

/// A plan of these growths.
pub fn of(growths: impl IntoIterator<Item = Growth>) -> Plan {
    let growths = growths.into_iter().map(|growth| PlannedGrowth {
        growth,
        gain: None,
        price: 0,
    });
    Plan {
        criterion: "test".into(),
        growths: growths.collect(),
    }
}

/// A plan of one split.
pub fn plan(
    site: &str,
    neuron: usize,
    scheme: Scheme,
    [min, max]: [&[f64]; 2],
    bound: WeightBound,
) -> Plan {
    of([Growth::Split(Split {
        site: site.to_owned(),
        neuron,
        scheme,
        offspring: scheme.offspring(min, max, bound),
    })])
}

/// The split that a plan begins with.
pub fn first_split(plan: &mut Plan) -> &mut Split {
    match &mut plan.growths[0].growth {
        Growth::Split(split) => split,
        other => panic!("{other} is no split"),
    }
}

/// A new neuron with random weights on both sides.
pub fn new_neuron(graph: &Graph, site: &burgeon_graph::Site, seed: u64) -> NewNeuron {
    let fan_out: usize = graph.fan_out(site).iter().map(|part| part.size).sum();
    NewNeuron {
        site: site.name().to_owned(),
        fan_in: unit_vector(site.dim(), seed),
        fan_out: unit_vector(fan_out, seed ^ 0xfa2),
        scaled: Side::FanOut,
        statistics: Vec::new(),
        like: None,
    }
}

/// New neurons at each site, one that is read by nothing and several, and all of them together.
pub fn neuron_plans(graph: &Graph, seed: u64) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (number, site) in graph.growable().enumerate() {
        let mut some = (0..3).map(|k| new_neuron(graph, site, seed ^ (8 * number as u64 + k)));
        let silent = NewNeuron {
            fan_out: Vec::new(),
            ..some.next().expect("there are three")
        };
        plans.push(of([Growth::NewNeuron(silent)]));
        plans.push(of(some.map(Growth::NewNeuron)));
    }
    plans.push(of(plans.iter().flat_map(|plan| plan.growths().cloned())));
    plans
}

/// Removals at each site that has neurons to spare, and at all of them together with splits and
/// new neurons.
pub fn removal_plans(graph: &Graph, seed: u64) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut mixed = Vec::new();
    for (number, site) in graph.growable().enumerate() {
        if site.width() < 2 {
            continue;
        }
        let neuron = (seed % site.width() as u64) as usize;
        let removal = Growth::Removal(Removal {
            site: site.name().to_owned(),
            neuron,
        });
        plans.push(of([removal.clone()]));
        let [min, max] = orthonormal(site.dim(), seed ^ number as u64);
        let kept = (neuron + 1) % site.width();
        let split = plan(
            site.name(),
            kept,
            Scheme::Positive3,
            [&min, &max],
            bound(2.0),
        );
        mixed.push(Growth::NewNeuron(new_neuron(graph, site, seed)));
        mixed.push(removal);
        mixed.extend(split.growths().cloned());
    }
    plans.push(of(mixed));
    plans
}

/// One split at each site, and one at all of them together.
pub fn plans(graph: &Graph, seed: u64) -> Vec<Plan> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bound = bound(rng.random_range(1.0..10.0));
    let mut one = |site: &burgeon_graph::Site, scheme| {
        let neuron = rng.random_range(0..site.width());
        let [min, max] = orthonormal(site.dim(), rng.random());
        plan(site.name(), neuron, scheme, [&min, &max], bound)
    };
    let mut schemes = Scheme::DIRECTED.to_vec();
    schemes.push(Scheme::Net2Wider);
    let mut plans: Vec<Plan> = Vec::new();
    for site in graph.growable() {
        plans.extend(schemes.iter().map(|scheme| one(site, *scheme)));
    }
    let together = graph.growable();
    let together = together.flat_map(|site| one(site, Scheme::Positive2).growths);
    let growths = together.collect();
    plans.push(Plan {
        criterion: "test".into(),
        growths,
    });
    plans
}

/// The plans of S2D and S3D from the spectra that each way finds.
pub fn solved_plans(
    net: &RandomNet,
    data: &Samples<Tensor<4>>,
    backend: &dyn SplitBackend,
) -> Vec<Plan> {
    let criteria: [Box<dyn Criterion>; 2] = [
        Box::new(SteepestDescent),
        Box::new(SignedSteepestDescent::new(bound(3.0))),
    ];
    let plans_of = |method| {
        let solver = SpectrumSolver::default().with_method(method);
        let spectrum = SpectrumConfig::default().with_solver(solver);
        let captured = capture_spectra(net, &MeanSquaredError, data, 2, &spectrum, backend);
        let captured = captured.expect("captured");
        let landscape = CapturedLandscape::new(captured, backend);
        let plan = |criterion: &dyn Criterion| {
            let candidates = criterion.candidates(&landscape, &mut Context::seeded(0));
            let all = TopK::new(usize::MAX).expect("in range");
            let chosen = all.select(candidates.expect("computed"), &Room::default());
            Plan::new(criterion.name(), chosen.expect("selects"))
        };
        criteria
            .iter()
            .map(|criterion| plan(criterion.as_ref()))
            .collect::<Vec<_>>()
    };
    [Method::Dense, Method::Krylov, Method::Rayleigh]
        .into_iter()
        .flat_map(plans_of)
        .filter(|plan| !plan.is_empty())
        .collect()
}
