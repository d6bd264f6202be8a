//! Plans for random networks.

use burgeon_core::criterion::{Candidate, Criterion, SignedSteepestDescent, SteepestDescent};
use burgeon_core::select::{Selector, TopK};
use burgeon_core::{Budget, Method, Plan, Scheme, SpectrumSolver, SplitBackend, WeightBound};
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

/// A plan of one growth.
pub fn plan(
    site: &str,
    neuron: usize,
    scheme: Scheme,
    [min, max]: [&[f64]; 2],
    bound: WeightBound,
) -> Plan {
    Plan::new(
        "test",
        vec![Candidate {
            site: site.to_owned(),
            channels: site.to_owned(),
            neuron,
            scheme,
            offspring: scheme.offspring(min, max, bound),
            gain: None,
            score: 0.0,
            cost: 0,
        }],
    )
}

/// One growth at each site, and one at all of them together.
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
        let plan = |criterion: &dyn Criterion| {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let candidates = criterion.candidates(&captured, backend, &mut rng);
            let budget = Budget {
                neurons: captured.neurons(),
                room: None,
            };
            let all = TopK::new(usize::MAX).expect("in range");
            let chosen = all.select(candidates.expect("computed"), budget);
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
