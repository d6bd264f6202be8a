//! Splitting matrices are Hessians.

use std::collections::{BTreeSet, HashMap};

use burgeon_backend_flex::FLEX;
use burgeon_core::{Method, SpectrumSolver};
use burgeon_graph::{Graph, Site};
use burgeon_nn::capture::capture;
use burgeon_nn::{MeanSquaredError, Objective, Samples, SpectrumConfig, Targets, capture_spectra};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::DVector;
use proptest::prelude::*;

use crate::draw::smooth_descriptions;
use crate::net::{Instrument, Operation, RandomNet, Value};
use crate::plans::{graph, unit_vector};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Property 2: S_j is the finite-difference Hessian of θ ↦ E[Σ g·a(θ)] over what mixes the
    /// neuron's channel with others, g frozen.
    #[test]
    fn splitting_matrices_are_hessians(description in smooth_descriptions()) {
        let net = description.net(&FLEX);
        let data = description.samples(&FLEX);
        let graph = graph(&net, &data);
        let objective = &MeanSquaredError;
        let captured = capture(&net, objective, &data, 2, Some(&FLEX)).expect("captured");
        let solver = SpectrumSolver::default().with_method(Method::Dense);
        let config = SpectrumConfig::default().with_solver(solver);
        let solved = capture_spectra(&net, objective, &data, 2, &config, &FLEX).expect("captured");
        for (site, solved) in captured.sites.iter().zip(&solved.sites) {
            let neuron = (description.seed % site.neurons as u64) as usize;
            let along = Frozen::new(&net, &data, &graph, &site.name, neuron);
            let ends = &solved.spectra.as_ref().expect("asked for").spectra[neuron];
            let size = ends.min.value.abs().max(ends.max.value.abs());
            // Both ends are what they should be, and nothing lies beyond them.
            for end in [&ends.min, &ends.max] {
                let (expected, noise) = along.second_derivative(&end.vector);
                let difference = (expected - end.value).abs();
                prop_assert!(
                    difference <= 1e-6 * size + noise,
                    "{}: {difference:e} of {expected:e}, {:e}", site.name, end.value
                );
            }
            let dense = site.curvature.as_ref();
            let dense = dense.map(|c| c.dense(&FLEX, DType::F64).expect("computed"));
            for draw in 0..4 {
                let direction = unit_vector(site.dim, description.seed ^ draw);
                let (expected, noise) = along.second_derivative(&direction);
                let slack = 1e-6 * size + noise;
                prop_assert!(
                    expected >= ends.min.value - slack && expected <= ends.max.value + slack,
                    "{}: {expected:e} beyond {:e} and {:e}",
                    site.name, ends.min.value, ends.max.value
                );
                if let Some(dense) = &dense {
                    let v = DVector::from_column_slice(&direction);
                    let found = (v.transpose() * &dense[neuron] * &v)[0];
                    let difference = (expected - found).abs();
                    prop_assert!(
                        difference <= slack,
                        "{}: {difference:e} of {expected:e}", site.name
                    );
                }
            }
        }
    }
}

/// `ψ(θ) = Σ g·a(θ)` over the readers of a site, as a function of the θ of one neuron, where g stays
/// as it is and nothing of θ's reaches further than to a reader.
struct Frozen<'a> {
    net: RandomNet,
    input: Tensor<4>,
    graph: &'a Graph,
    site: &'a Site,
    neuron: usize,
    /// What each reader's step reads, and the loss's gradient there.
    gradients: HashMap<usize, Tensor<2>>,
    read: HashMap<usize, Tensor<2>>,
}

impl<'a> Frozen<'a> {
    fn new(
        net: &RandomNet,
        data: &Samples<Tensor<4>>,
        graph: &'a Graph,
        site: &str,
        neuron: usize,
    ) -> Self {
        let site = graph.site(site).expect("a site");
        let net = net.clone().freeze();
        let edges = site.edges().iter();
        let layers = edges.map(|edge| graph.nodes()[edge.node].layer.as_str());
        let layers: BTreeSet<usize> = layers.map(layer_number).collect();
        let is_reader = |number: &usize| match net.program[*number].operation {
            Operation::Layer(layer) => layers.contains(&layer),
            _ => false,
        };
        let readers = (0..net.program.len()).filter(is_reader).collect();
        let input = Tensor::from_inner(data.inputs().clone());
        let mut cut = Cut {
            readers: &readers,
            probes: HashMap::new(),
            read: HashMap::new(),
        };
        let output = net.run(input.clone(), &mut cut);
        let Targets::Values(values) = data.targets() else {
            unreachable!("the samples are values");
        };
        let targets = Targets::Values(Tensor::from_inner(values.clone()));
        let gradients = MeanSquaredError.loss(output, &targets).backward();
        let Cut { probes, read, .. } = cut;
        let gradient = |(step, probe): (usize, Tensor<2>)| {
            let gradient = probe.grad(&gradients)?;
            Some((step, gradient))
        };
        let gradients = probes.into_iter().filter_map(gradient).collect();
        Self {
            net,
            input,
            graph,
            site,
            neuron,
            gradients,
            read,
        }
    }

    fn at(&self, direction: &[f64], t: f64) -> f64 {
        let mut by: HashMap<ParamId, Vec<(usize, f64)>> = HashMap::new();
        let mut entries = direction.iter();
        for part in self.site.fan_in() {
            let id = self.graph.parameters()[part.parameter].id;
            let places = self.graph.slice(self.site, part, self.neuron);
            let moved = places.into_iter().zip(entries.by_ref().map(|v| t * v));
            by.entry(id).or_default().extend(moved);
        }
        let moved = self.net.clone().map(&mut Mover(by));
        let mut sum = Sum {
            frozen: self,
            value: 0.0,
        };
        moved.run(self.input.clone(), &mut sum);
        sum.value
    }

    /// The second derivative along a unit vector, by the five-point difference, and how far off
    /// it may be. Equality for random directions is equality of the Hessians.
    fn second_derivative(&self, direction: &[f64]) -> (f64, f64) {
        let value = |t: f64| self.at(direction, t);
        let difference = |h: f64| {
            let pairs = 16.0 * (value(h) + value(-h)) - (value(2.0 * h) + value(-2.0 * h));
            (pairs - 30.0 * value(0.0)) / (12.0 * h * h)
        };
        let h = 4e-3;
        let (coarse, fine) = (difference(h), difference(0.5 * h));
        // Truncation, as halving the step shows it, and rounding of the sums over h²: of the terms,
        // and of activations that are small because numbers of about 1 cancel in them.
        let sum = |terms: Tensor<2>| terms.abs().sum().into_scalar::<f64>();
        let of_step = |(step, gradient): (&usize, &Tensor<2>)| {
            let terms = sum(self.read[step].clone() * gradient.clone());
            1e-13 * terms + 4e-15 * sum(gradient.clone())
        };
        let rounding = self.gradients.iter().map(of_step).sum::<f64>() / (h * h);
        (fine, (coarse - fine).abs() + rounding + 1e-11)
    }
}

/// The number in a path like `layers.3.Linear`.
fn layer_number(path: &str) -> usize {
    let number = path.split('.').nth(1).and_then(|part| part.parse().ok());
    number.expect("layers stand in a list")
}

/// Puts probes on what readers read.
struct Cut<'a> {
    readers: &'a BTreeSet<usize>,
    probes: HashMap<usize, Tensor<2>>,
    read: HashMap<usize, Tensor<2>>,
}

impl Instrument for Cut<'_> {
    fn read(&mut self, step: usize, value: Value) -> Value {
        if !self.readers.contains(&step) {
            return value;
        }
        let flat = value.flat();
        let zeros = flat.clone().inner().zeros_like();
        let probe = Tensor::from_inner(zeros).require_grad();
        self.read.insert(step, flat.clone().inner());
        self.probes.insert(step, probe.clone());
        value.shaped(flat + probe)
    }
}

/// Sums what readers read, times the gradient; they then read what they do in the network itself.
struct Sum<'a> {
    frozen: &'a Frozen<'a>,
    value: f64,
}

impl Instrument for Sum<'_> {
    fn read(&mut self, step: usize, value: Value) -> Value {
        let Some(gradient) = self.frozen.gradients.get(&step) else {
            return value;
        };
        let product = value.flat().inner() * gradient.clone();
        self.value += product.sum().into_scalar::<f64>();
        let unmoved = Tensor::from_inner(self.frozen.read[&step].clone());
        value.shaped(unmoved)
    }
}

/// Adds numbers at places of parameters.
struct Mover(HashMap<ParamId, Vec<(usize, f64)>>);

impl ModuleMapper for Mover {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(by) = self.0.get(&param.id) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let device = tensor.device().inner();
        let mut values = tensor.inner().into_data().try_to_vec::<f64>().expect("f64");
        for (place, number) in by {
            values[*place] += number;
        }
        let plain = Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64));
        Param::from_mapped_value(id, Tensor::from_inner(plain), mapper)
    }
}
