//! What must hold (MATH §6, properties 1, 2, 3 and 5), over random networks that
//! hold every layer kind and consumer kind.

mod common;
mod costs;

use std::collections::HashMap;

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_core::criterion::{Criterion, SignedSteepestDescent, SteepestDescent};
use burgeon_core::eigen::dense_spectra;
use burgeon_core::select::{Selector, TopK};
use burgeon_core::{
    Activation, Budget, Eigenpair, Method, Plan, Scheme, SpectrumSolver, SplitBackend, WeightBound,
};
use burgeon_nn::capture::capture;
use burgeon_nn::growable::{cast, evaluate, parameter_count};
use burgeon_nn::grower::output_change_at_zero;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    Growable, MeanSquaredError, Objective, Samples, SpectrumConfig, Targets, capture_spectra,
};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::nn::PaddingConfig2d;
use burn::tensor::{DType, Tensor, TensorData};
use common::{Net, SMOOTH, Shape, plan, samples};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const SITES: [&str; 5] = ["conv1", "depthwise", "conv2", "linear1", "linear2"];

fn shapes() -> impl Strategy<Value = Shape> {
    let padding = prop_oneof![
        Just(PaddingConfig2d::Valid),
        Just(PaddingConfig2d::Explicit(1, 0, 2, 1)),
        Just(PaddingConfig2d::Explicit(1, 1, 1, 1)),
    ];
    let activation = prop_oneof![
        4 => proptest::sample::select(SMOOTH.to_vec()),
        1 => Just(Activation::relu()),
    ];
    let geometry = (
        [5_usize..8, 5..8],
        [1_usize..4, 1..3],
        [1_usize..3, 1..3],
        [1_usize..3, 1..3],
        padding,
    );
    let widths = ([1_usize..3, 1..4, 1..4], [1_usize..4, 1..4], 1_usize..5);
    (
        any::<u64>(),
        geometry,
        widths,
        any::<[bool; 2]>(),
        activation,
    )
        .prop_map(
            |(
                seed,
                (size, kernel, stride, dilation, padding),
                widths,
                [bias, norm],
                activation,
            )| {
                let (channels, neurons, batch) = widths;
                Shape {
                    seed,
                    batch,
                    size,
                    channels,
                    neurons,
                    kernel,
                    stride,
                    padding,
                    dilation,
                    bias,
                    norm,
                    activation,
                }
            },
        )
}

fn unit_vector(dim: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = DVector::from_fn(dim, |_, _| rng.random_range(-1.0..1.0));
    draw.normalize().as_slice().to_vec()
}

/// Two orthogonal unit vectors; twice the same in one dimension.
fn orthonormal(dim: usize, seed: u64) -> [Vec<f64>; 2] {
    let first = DVector::from_vec(unit_vector(dim, seed));
    let draw = DVector::from_vec(unit_vector(dim, seed ^ 0x5eed));
    let second = match dim {
        1 => first.clone(),
        _ => (&draw - &first * first.dot(&draw)).normalize(),
    };
    [first, second].map(|vector| vector.as_slice().to_vec())
}

fn backends() -> [Box<dyn SplitBackend>; 2] {
    [Box::new(FLEX), Box::new(NDARRAY)]
}

/// The plans of S2D and S3D from the spectra that each path finds.
fn solved_plans(net: &Net, data: &Samples<Tensor<4>>, backend: &dyn SplitBackend) -> Vec<Plan> {
    let bound = WeightBound::new(3.0).expect("in range");
    let criteria: [Box<dyn Criterion>; 2] = [
        Box::new(SteepestDescent),
        Box::new(SignedSteepestDescent::new(bound)),
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

/// One growth at each site, and several together.
fn plans(net: &Net, seed: u64) -> Vec<Plan> {
    let topology = net.topology().expect("the topology fits");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let widths: HashMap<String, usize> = topology.widths().into_iter().collect();
    let dims: HashMap<String, usize> = topology
        .sites()
        .map(|(name, site)| (name.to_owned(), site.dim))
        .collect();
    let bound = WeightBound::new(rng.random_range(1.0..10.0)).expect("in range");
    let mut one = |site: &str, scheme| {
        let neuron = rng.random_range(0..widths[site]);
        let [min, max] = orthonormal(dims[site], rng.random());
        plan(site, neuron, scheme, [&min, &max], bound)
    };
    let mut schemes = Scheme::DIRECTED.to_vec();
    schemes.push(Scheme::Net2Wider);
    let mut plans: Vec<Plan> = Vec::new();
    for site in SITES {
        plans.extend(schemes.iter().map(|scheme| one(site, *scheme)));
    }
    let mut all = one("conv1", Scheme::Positive2);
    for site in ["conv2", "linear1", "linear2"] {
        all.growths.extend(one(site, Scheme::Positive2).growths);
    }
    plans.push(all);
    plans
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Property 1: at ε = 0 every surgery leaves the output unchanged to rounding,
    /// the input model as it was, and adds the parameters it was priced at.
    #[test]
    fn surgery_at_zero_changes_nothing(shape in shapes()) {
        for backend in backends() {
            let net = Net::new(&shape, backend.as_ref()).expect("the network fits");
            let data = samples(&shape, backend.as_ref());
            let before = parameter_count(&net);
            let topology = net.topology().expect("the topology fits");
            let solved = solved_plans(&net, &data, backend.as_ref());
            for plan in plans(&net, shape.seed).into_iter().chain(solved) {
                let change = output_change_at_zero(&net, &plan, &data, 3).expect("surgery works");
                prop_assert!(change <= 1e-12, "{change:e} in f64 under {plan}");
                let (grown, _) = apply_plan(&net, &topology, &plan, 0.1).expect("surgery works");
                prop_assert_eq!(
                    parameter_count(&grown) - before,
                    topology.parameters_added(&plan)
                );
                let single = cast(&net, DType::F32);
                let inputs = data.inputs().clone().cast(DType::F32);
                let data = data.with_inputs(inputs, |v| v.cast(DType::F32)).expect("sound");
                let change = output_change_at_zero(&single, &plan, &data, 3).expect("works");
                prop_assert!(change <= 1e-5, "{change:e} in f32 under {plan}");
            }
        }
    }

    /// Property 2: S_j is the finite-difference Hessian of θ ↦ E[g·σ(θ, x)], g frozen.
    #[test]
    fn splitting_matrices_are_hessians(shape in shapes()) {
        prop_assume!(shape.activation.has_exact_curvature());
        let net = Net::new(&shape, &FLEX).expect("the network fits");
        let data = samples(&shape, &FLEX);
        let captured = capture(&net, &MeanSquaredError, &data, 2, Some(&FLEX)).expect("captured");
        for site in &captured.sites {
            let curvature = site.curvature.as_ref().expect("asked for");
            let neuron = (shape.seed % site.neurons as u64) as usize;
            let s = &curvature.dense(&FLEX, DType::F64).expect("computed")[neuron];
            let along = frozen_second_derivative(&net, &data, &site.name, neuron);
            for draw in 0..8 {
                let direction = unit_vector(site.dim, shape.seed ^ draw);
                let v = DVector::from_column_slice(&direction);
                let (expected, noise) = along(&direction);
                let difference = (expected - (v.transpose() * s * &v)[0]).abs();
                prop_assert!(
                    difference <= 1e-6 * s.norm() + noise,
                    "{}: {difference:e} of {expected:e}", site.name
                );
            }
        }
    }

    /// Property 3: the remainder of the predicted change is O(ε³), for sites whose
    /// channels reach their consumers through linear layers only.
    #[test]
    fn remainder_is_of_third_order(shape in shapes()) {
        prop_assume!(shape.activation.has_exact_curvature());
        let net = Net::new(&shape, &FLEX).expect("the network fits");
        let data = samples(&shape, &FLEX);
        let objective = MeanSquaredError;
        let topology = net.topology().expect("the topology fits");
        let captured = capture(&net, &objective, &data, 64, Some(&FLEX)).expect("captured");
        for site in captured.sites.iter().filter(|site| topology.predicts_exactly(&site.name)) {
            let curvature = site.curvature.as_ref().expect("asked for");
            let neuron = (shape.seed % site.neurons as u64) as usize;
            let directions = orthonormal(site.dim, shape.seed);
            let s = &curvature.dense(&FLEX, DType::F64).expect("computed")[neuron];
            let bound = WeightBound::new(1.0 + (shape.seed % 90) as f64 / 10.0).expect("c ≥ 1");
            for scheme in Scheme::DIRECTED {
                let [min, max] = &directions;
                let plan = plan(&site.name, neuron, scheme, [min, max], bound);
                let second: f64 = plan.growths[0]
                    .offspring
                    .iter()
                    .map(|copy| {
                        let delta = DVector::from_column_slice(&copy.offset);
                        0.5 * copy.weight * (delta.transpose() * s * &delta)[0]
                    })
                    .sum();
                let remainder = |epsilon: f64| {
                    let (grown, _) = apply_plan(&net, &topology, &plan, epsilon).expect("works");
                    let loss = evaluate(&grown, &objective, &data, 64).expect("works").loss;
                    loss - captured.loss - epsilon * epsilon * second
                };
                // Remainders under halved steps, as long as they are far above rounding.
                let floor = 3e-14 * captured.loss.abs().max(1.0);
                let usable: Vec<f64> = (0..14)
                    .map(|halvings| remainder(0.08 * 0.5_f64.powi(halvings)))
                    .take_while(|remainder| remainder.abs() > floor)
                    .collect();
                let steepest = usable
                    .windows(2)
                    .rev()
                    .take(2)
                    .map(|pair| (pair[0] / pair[1]).abs().log2())
                    .reduce(f64::max);
                // Where terms of third and fourth order nearly cancel at every usable step
                // there is no slope; the term of second order is then extrapolated from
                // r/ε² = a + bε + cε² at three steps, and must vanish.
                let [h0, h1, h2] = [0.04, 0.02, 0.01].map(|h: f64| remainder(h) / (h * h));
                let of_second_order = h0 / 3.0 - 2.0 * h1 + 8.0 / 3.0 * h2;
                let size = bound.value() * s.norm();
                prop_assert!(
                    steepest.is_some_and(|slope| slope >= 2.8)
                        || of_second_order.abs() <= 1e-3 * size + floor / 1e-4,
                    "{} by {scheme}: {usable:?}, second order {of_second_order:e} of {size:e}",
                    site.name
                );
            }
        }
    }

    /// Property 5, as far as one path goes: every reported pair satisfies its residual,
    /// the matrix-free product agrees with the dense matrix, and no random vector
    /// has a Rayleigh quotient outside the reported ends.
    #[test]
    fn spectra_satisfy_their_residuals(shape in shapes()) {
        for backend in backends() {
            let backend = backend.as_ref();
            let net = Net::new(&shape, backend).expect("the network fits");
            let data = samples(&shape, backend);
            let captured = capture(&net, &MeanSquaredError, &data, 2, Some(backend)).expect("captured");
            for site in &captured.sites {
                let curvature = site.curvature.as_ref().expect("asked for");
                let dense = curvature.dense(backend, DType::F64).expect("computed");
                let spectra = dense_spectra(&site.name, &dense).expect("converged");
                let ends: [Vec<Eigenpair>; 2] = [
                    spectra.iter().map(|spectrum| spectrum.min.clone()).collect(),
                    spectra.iter().map(|spectrum| spectrum.max.clone()).collect(),
                ];
                for pairs in &ends {
                    let ends = DMatrix::from_fn(site.dim, site.neurons, |i, j| pairs[j].vector[i]);
                    let products = curvature.apply(backend, &ends, DType::F64).expect("computed");
                    for (j, pair) in pairs.iter().enumerate() {
                        // Sums of opposite signs round by their terms, not by their result.
                        let slack = 1e-10 * dense[j].norm() + 1e-13;
                        let residual = (products.column(j) - ends.column(j) * pair.value).norm();
                        prop_assert!(residual <= pair.residual + slack);
                        prop_assert!(pair.residual <= slack);
                    }
                }
                for j in 0..site.neurons {
                    for draw in 0..20 {
                        let v = DVector::from_vec(unit_vector(site.dim, draw));
                        let quotient = (v.transpose() * &dense[j] * &v)[0];
                        let slack = 1e-10 * dense[j].norm();
                        prop_assert!(quotient >= spectra[j].min.value - slack);
                        prop_assert!(quotient <= spectra[j].max.value + slack);
                    }
                }
            }
        }
    }
}

/// Moves the fan-in of one neuron, weight entries first and the bias last.
struct Mover<'a> {
    weight: ParamId,
    bias: Option<ParamId>,
    column: bool,
    neuron: usize,
    by: &'a [f64],
}

impl ModuleMapper for Mover<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_weight = param.id == self.weight;
        if !is_weight && Some(param.id) != self.bias {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let device = tensor.device().inner();
        let mut values = tensor.inner().into_data().try_to_vec::<f64>().expect("f64");
        if is_weight {
            let weights = self.by.len() - usize::from(self.bias.is_some());
            for (i, by) in self.by[..weights].iter().enumerate() {
                let at = match self.column {
                    true => i * shape[1] + self.neuron,
                    false => self.neuron * weights + i,
                };
                values[at] += by;
            }
        } else {
            values[self.neuron] += self.by[self.by.len() - 1];
        }
        let plain = Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64));
        Param::from_mapped_value(id, Tensor::from_inner(plain), mapper)
    }
}

/// The second derivative of t ↦ Σ g·σ(θ + t v, x) at 0 for a unit vector v, by the
/// five-point difference, and how far off it may be, with the upstream gradient g taken from the unmoved network
/// by autodiff. Equality for random v is equality of the Hessians.
fn frozen_second_derivative<'a>(
    net: &'a Net,
    data: &'a Samples<Tensor<4>>,
    site: &'a str,
    neuron: usize,
) -> impl Fn(&[f64]) -> (f64, f64) + 'a {
    let topology = net.topology().expect("the topology fits");
    let (_, spec) = topology
        .sites()
        .find(|(name, _)| *name == site)
        .expect("named");
    let spec = *spec;
    let frozen = net.clone().freeze();
    let layers = LayerOutputs::new(data.inputs().clone(), site);
    let gradient = layers.upstream_gradient(&frozen, data);
    move |direction| {
        let value = |t: f64| {
            let by: Vec<f64> = direction.iter().map(|entry| t * entry).collect();
            let moved = frozen.clone().map(&mut Mover {
                weight: spec.weight,
                bias: spec.bias,
                column: site.starts_with("linear"),
                neuron,
                by: &by,
            });
            let output = layers.site_output(&moved);
            (output * gradient.clone()).sum().into_scalar::<f64>()
        };
        let difference = |h: f64| {
            let pairs = 16.0 * (value(h) + value(-h)) - (value(2.0 * h) + value(-2.0 * h));
            (pairs - 30.0 * value(0.0)) / (12.0 * h * h)
        };
        let h = 4e-3;
        let (coarse, fine) = (difference(h), difference(0.5 * h));
        // Truncation, as halving the step shows it, and rounding of the sums over h²: of the terms,
        // and of activations that are small because numbers of about 1 cancel in them.
        let sum = |terms: Tensor<2>| terms.abs().sum().into_scalar::<f64>();
        let terms = sum(layers.site_output(&frozen) * gradient.clone());
        let rounding = (1e-13 * terms + 4e-15 * sum(gradient.clone())) / (h * h);
        (fine, (coarse - fine).abs() + rounding + 1e-11)
    }
}

/// The network cut at one site: what the site reads, and what follows it.
struct LayerOutputs<'a> {
    site: &'a str,
    input: Tensor<4>,
}

impl<'a> LayerOutputs<'a> {
    fn new(input: Tensor<4>, site: &'a str) -> Self {
        let input = Tensor::from_inner(input);
        Self { site, input }
    }

    /// The site's post-activation in `net`, flattened to `[b, …]`.
    fn site_output(&self, net: &Net) -> Tensor<2> {
        self.walk(net, None).0.inner()
    }

    /// ∂L/∂a at the site, by a graph that starts there.
    fn upstream_gradient(&self, net: &Net, data: &Samples<Tensor<4>>) -> Tensor<2> {
        let (output, _) = self.walk(net, None);
        let cut = output.detach().require_grad();
        let (_, prediction) = self.walk(net, Some(cut.clone()));
        let Targets::Values(values) = data.targets() else {
            unreachable!("the samples are values");
        };
        let targets = Targets::Values(Tensor::from_inner(values.clone()));
        let loss = MeanSquaredError.loss(prediction, &targets);
        cut.grad(&loss.backward()).expect("the site is used")
    }

    /// Runs `net`; at the site its output is replaced by `cut` if there is one.
    fn walk(&self, net: &Net, cut: Option<Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
        let mut found = None;
        let mut at = |name: &str, x: Tensor<4>| -> Tensor<4> {
            if name != self.site {
                return x;
            }
            let shape = x.dims();
            let flat = cut.clone().unwrap_or_else(|| x.flatten::<2>(1, 3));
            found = Some(flat.clone());
            flat.reshape(shape)
        };
        let x = at("conv1", net.conv1.forward(self.input.clone()));
        let x = at("depthwise", net.depthwise.forward(net.after.forward(x)));
        let skip = net.skip.forward(x.clone()).mean_dims(&[2, 3]);
        let [batch, outputs, ..] = skip.dims();
        let x = at("conv2", net.conv2.forward(x));
        let maps = |x: Tensor<2>| {
            let [b, n] = x.dims();
            x.reshape([b, n, 1, 1])
        };
        let x = net.linear1.forward(x.flatten::<2>(1, 3));
        let x = at("linear1", maps(x)).flatten::<2>(1, 3);
        let x = at("linear2", maps(net.linear2.forward(x))).flatten::<2>(1, 3);
        let prediction = net.output.forward(x) + skip.reshape([batch, outputs]);
        (found.expect("the site is on the way"), prediction)
    }
}
