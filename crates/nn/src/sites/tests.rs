//! Curvature, virtual growth and surgery of ordinary models against differences of their own
//! outputs.

mod growths;

use std::collections::HashMap;
use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::eigen::{CapturedOperator, Directions, SplittingOperator};
use burgeon_core::growth::{Growth, Split};
use burgeon_core::{Curvature, Offspring, Plan, PlannedGrowth, Scheme};
use burgeon_graph::{Site, Smoothness};
use burn::backend::Dispatch;
use burn::backend::ir::TensorId;
use burn::backend::ops::FloatTensorOps;
use burn::module::{Module, Param, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{CapturedSite, Form, Grown, JetOperator, SiteForm, capture};
use crate::any::{AnyInput, AnyModel};
use crate::edits::{apply, compile};
use crate::error::NnError;
use crate::growable::{Growable, cast};
use crate::ports::{Input, Output};
use crate::replay::{Network, NoProbe, Parameters, Value, Values, output_of};
use crate::trace::Trace;
use crate::zoo::{Example, every_example, made};

pub(super) const BATCH: usize = 4;

pub(super) fn numbers(value: Value) -> Vec<f64> {
    let data = Tensor::<1>::from_dispatch(value).into_data();
    data.iter::<f64>().collect()
}

fn value(data: TensorData) -> Value {
    Dispatch::float_from_data(data, Device::flex().as_dispatch())
}

/// A model of the zoo that surgery can be done on.
pub(super) trait Operable: Growable + Example<Input: Input, Output: Output> {}

/// A model of the zoo with a trace, and what a pass over a few samples captured. Its type is not
/// known here, so that what is tested is compiled once and not for each model.
pub(super) struct Study {
    pub name: &'static str,
    model: AnyModel,
    input: AnyInput,
    pub network: Network,
    pub inputs: Vec<Value>,
    targets: Value,
}

impl Study {
    pub fn new<M: Operable>(dtype: DType) -> Self {
        let model = cast(&made::<M>(&Device::flex().autodiff(), 7), dtype);
        let model = AnyModel::new(model).expect("few axes");
        let input = AnyInput::new(M::input(BATCH, &Device::flex(), dtype, 3));
        Self::of(M::NAME, model, input, dtype)
    }

    fn of(name: &'static str, model: AnyModel, input: AnyInput, dtype: DType) -> Self {
        let trace = Trace::of(&model, &input, |model: &AnyModel, x| model.predict(x))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let network = Network::of(Arc::new(trace), &model).expect("one type, one device");
        let inputs = input.clone().into_values();
        let answer = network.forward(&inputs, BATCH).expect("it was traced");
        let shape = burn::backend::TensorMetadata::shape(&answer);
        let count = shape.num_elements();
        let values: Vec<f64> = (0..count)
            .map(|i| ((i * 37 % 19) as f64 - 9.0) / 7.0)
            .collect();
        let data = TensorData::new(values, shape).convert_dtype(dtype);
        let targets = value(data);
        Self {
            name,
            model,
            input,
            network,
            inputs,
            targets,
        }
    }

    fn loss(&self, output: Value) -> Tensor<1> {
        let output = Tensor::<1>::from_dispatch(output);
        let targets = Tensor::<1>::from_dispatch(self.targets.clone());
        let targets = match output.is_autodiff() {
            true => Tensor::from_inner(targets),
            false => targets,
        };
        let all = output.shape().num_elements();
        let difference = output.reshape([all]) - targets.reshape([all]);
        difference.square().mean()
    }

    fn loss_of(&self, output: Value) -> f64 {
        self.loss(output).into_scalar::<f64>()
    }

    fn site(&self, name: &str) -> &Site {
        self.network
            .trace
            .graph()
            .site(name)
            .expect("a site that grows")
    }

    fn captured(&self, forms: &[SiteForm]) -> (Vec<CapturedSite>, Values) {
        let loss = |output| Ok(self.loss(output));
        let found = capture(
            &self.network,
            forms,
            &self.inputs,
            BATCH,
            &loss,
            &FLEX,
            &|_| true,
        );
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        (found.sites, found.values)
    }

    /// `Σ ⟨g, a(θ + t v)⟩` over the site's edges, g frozen.
    fn frozen_loss(
        &self,
        form: &SiteForm,
        gradients: &HashMap<TensorId, Value>,
        values: &Values,
        tangents: &Parameters,
        t: f64,
    ) -> f64 {
        let trace = &self.network.trace;
        let mut parameters = self.network.parameters.clone();
        for (id, tangent) in tangents {
            let moved = Tensor::<1>::from_dispatch(tangent.clone()).mul_scalar(t);
            let value = Tensor::<1>::from_dispatch(parameters[id].clone()) + moved;
            parameters.insert(*id, value.into_dispatch());
        }
        let network = self.network.with(parameters, HashMap::new());
        let mut own = Values::new();
        for (id, parameter) in &trace.parameters {
            if tangents.contains_key(parameter) {
                own.insert(*id, network.parameters[parameter].clone());
            }
        }
        for &index in &form.order {
            let output = network.operation(index, BATCH, &mut |tensor| {
                let mixed = form.edges.contains(&(index, tensor.id));
                let moved = own.get(&tensor.id).filter(|_| !mixed).cloned();
                moved
                    .or_else(|| values.get(&tensor.id).cloned())
                    .or_else(|| network.in_frame(BATCH, |frame| network.still(tensor.id, frame)))
            });
            own.insert(
                output_of(&trace.operations[index]).expect("an output"),
                output.expect("it ran before"),
            );
        }
        let terms = gradients.iter().map(|(id, gradient)| {
            let a = own.get(id).unwrap_or_else(|| &values[id]).clone();
            let product = Tensor::<1>::from_dispatch(gradient.clone()) * Tensor::from_dispatch(a);
            product.sum().into_scalar::<f64>()
        });
        terms.sum()
    }

    fn tangents(&self, form: &SiteForm, vectors: &DMatrix<f64>) -> Parameters {
        let scattered = form.theta.scatter(vectors).into_iter();
        scattered
            .map(|(id, data): (ParamId, TensorData)| {
                let dtype = self.network.dtype();
                let data = data.convert_dtype(dtype);
                (id, value(data))
            })
            .collect()
    }
}

/// A direction of norm 1 for one neuron, zero for the others.
fn direction(form: &SiteForm, neuron: usize, seed: u64) -> DMatrix<f64> {
    let mut vectors = DMatrix::zeros(form.shape.dim, form.shape.neurons);
    for row in 0..form.shape.dim {
        let hash = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0x2545);
        vectors[(row, neuron)] = (hash >> 40) as f64 / (1_u64 << 24) as f64 - 0.5;
    }
    let norm = vectors.norm();
    vectors / norm
}

fn split(site: &str, neuron: usize, vector: &[f64]) -> Plan {
    let copy = |sign: f64| Offspring {
        weight: 0.5,
        offset: vector.iter().map(|v| sign * v).collect(),
    };
    plan_of([Growth::Split(Split {
        site: site.into(),
        neuron,
        scheme: Scheme::Positive2,
        offspring: vec![copy(1.0), copy(-1.0)],
    })])
}

pub(super) fn plan_of(growths: impl IntoIterator<Item = Growth>) -> Plan {
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

fn apply_one(operator: &dyn SplittingOperator, vectors: &DMatrix<f64>) -> DMatrix<f64> {
    let asked = Directions {
        vectors: vec![vectors.clone()],
        dtype: DType::F64,
    };
    let mut sum = DMatrix::zeros(vectors.nrows(), vectors.ncols());
    for batch in 0..operator.batches() {
        let found = operator.apply_batch(batch, std::slice::from_ref(&asked));
        sum += &found.expect("finite products")[0][0];
    }
    sum
}

/// What must hold at every site of a model.
fn holds_at_every_site(study: &Study) {
    let graph = study.network.trace.graph();
    println!("{}\n{graph}", study.name);
    let names: Vec<String> = graph
        .growable()
        .map(|site| site.name().to_owned())
        .collect();
    assert!(!names.is_empty(), "{} has a site that grows", study.name);
    for (number, name) in names.iter().enumerate() {
        let site = study.site(name);
        let form = SiteForm::of(&study.network.trace, site, true);
        let (mut captured, values) = study.captured(std::slice::from_ref(&form));
        let Some(CapturedSite::Jets(batch)) = captured.pop() else {
            panic!("{}: jets of `{name}` were asked for", study.name);
        };
        let gradients = batch.gradients.clone();
        let neuron = number % site.width();
        let vectors = direction(&form, neuron, number as u64);
        let operator = JetOperator::new(&study.network, &form, vec![batch]);
        let product = apply_one(&operator, &vectors);
        let curvature = vectors.dot(&product);
        let scale = product.norm().max(1e-6);
        // Splitting matrices against differences of values.
        if site.smoothness() == Smoothness::Exact {
            let tangents = study.tangents(&form, &vectors);
            let psi = |t| study.frozen_loss(&form, &gradients, &values, &tangents, t);
            let h = 0.02;
            let stencil = [(0.0, -490.0), (1.0, 270.0), (2.0, -27.0), (3.0, 2.0)];
            let sum: f64 = stencil
                .iter()
                .map(|(k, c)| match *k == 0.0 {
                    true => c * psi(0.0),
                    false => c * (psi(k * h) + psi(-k * h)),
                })
                .sum();
            let measured = sum / (180.0 * h * h);
            assert!(
                (measured - curvature).abs() < 1e-8 * scale.max(1e-2),
                "{}, `{name}`: differences {measured}, vᵀSv {curvature} of {scale}",
                study.name
            );
        }
        // The fast way against jets.
        let fast = SiteForm::of(&study.network.trace, site, false);
        let is_pointwise = matches!(fast.form, Form::Pointwise(_));
        if is_pointwise {
            let (mut captured, _) = study.captured(std::slice::from_ref(&fast));
            let Some(CapturedSite::Block(block)) = captured.pop() else {
                panic!("{}: `{name}` has curvature weights", study.name);
            };
            let by_weights = Curvature::new(name, vec![*block]).expect("a sound block");
            let operator = CapturedOperator::new(vec![&by_weights], &FLEX);
            let other = apply_one(&operator, &vectors);
            assert!(
                (&other - &product).norm() < 1e-9 * scale,
                "{}, `{name}`: weights {} jets {}",
                study.name,
                other.norm(),
                product.norm()
            );
        }
        // Growth, in the replay and by surgery.
        let vector: Vec<f64> = vectors.column(neuron).iter().copied().collect();
        let plan = split(name, neuron, &vector);
        let grown = Grown::new(&study.network, &plan).expect("a plan that fits");
        let output = |epsilon| {
            let network = grown.at(epsilon);
            network
                .run_from(&values, &grown.changed(), BATCH)
                .expect("it runs")
        };
        let before = study
            .network
            .forward(&study.inputs, BATCH)
            .expect("it runs");
        let largest = numbers(before.clone())
            .iter()
            .fold(0.0_f64, |a, b| a.max(b.abs()));
        let change = numbers(output(0.0))
            .iter()
            .zip(numbers(before.clone()))
            .fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
        assert!(
            change <= 1e-12 * largest,
            "{}, `{name}`: moved by {change}",
            study.name
        );
        let baseline = study.loss_of(before);
        let epsilon = match site.smoothness() {
            Smoothness::Selection => 1e-4,
            _ => 1e-2,
        };
        let measured = study.loss_of(output(epsilon)) - baseline;
        let predicted = 0.5 * epsilon * epsilon * curvature;
        let ratio = measured / predicted;
        println!(
            "   `{name}` {neuron} of {}: d {}, vᵀSv {curvature:+.3e} of {scale:.1e}, ratio {ratio:.5}, {:?}, {}",
            site.width(),
            form.shape.dim,
            site.smoothness(),
            if is_pointwise { "weights" } else { "jets" }
        );
        if site.smoothness() != Smoothness::Surrogate && curvature.abs() > 1e-3 * scale {
            assert!(
                (ratio - 1.0).abs() < 2e-2,
                "{}, `{name}`: ratio {ratio}",
                study.name
            );
        }
        let edits = compile(graph, &plan, epsilon).expect("a plan that fits");
        let model = apply(&study.model, &edits).expect("edits that fit");
        let own = crate::copies::inference(&model)
            .predict(study.input.clone())
            .into_value();
        let replayed = numbers(output(epsilon));
        let moved = numbers(own)
            .iter()
            .zip(&replayed)
            .fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
        assert!(
            moved <= 1e-12 * largest,
            "{}, `{name}`: surgery and replay differ by {moved}",
            study.name
        );
    }
}

/// A replay answers as the model, bit for bit, at any batch size.
fn replays_itself(study: &Study, input: impl Fn(usize) -> AnyInput) {
    for batch in [1, 2, 5, 7] {
        let input = input(batch);
        let own = crate::copies::inference(&study.model).predict(input.clone());
        let own = numbers(own.into_value());
        let inputs = input.into_values();
        let (replayed, _) = study
            .network
            .run(&inputs, batch, &|_| false, &mut NoProbe)
            .unwrap_or_else(|error: NnError| panic!("{}: {error}", study.name));
        assert_eq!(own, numbers(replayed), "{} at {batch}", study.name);
    }
}

fn replays<M: Operable>() {
    let input = |batch| AnyInput::new(M::input(batch, &Device::flex(), DType::F32, 11));
    replays_itself(&Study::new::<M>(DType::F32), input);
}

macro_rules! tests {
    ($($name:ident: $model:ident,)+) => {
        mod zoo_grows {
            $(#[test]
            fn $name() {
                super::holds_at_every_site(&super::Study::new::<crate::zoo::$model>(super::DType::F64));
            })+
        }
        mod zoo_replays {
            $(#[test]
            fn $name() {
                super::replays::<crate::zoo::$model>();
            })+
        }
    };
}
every_example!(tests);

/// What a sample of one of the captured samples says is right on average.
#[test]
fn samples_of_a_jet_batch_estimate_without_bias() {
    let study = Study::new::<crate::zoo::MobileNetV2Depthwise>(DType::F64);
    let graph = study.network.trace.graph();
    let site = graph.growable().next().expect("a site that grows");
    let form = SiteForm::of(&study.network.trace, site, true);
    let batch = || {
        let (mut captured, _) = study.captured(std::slice::from_ref(&form));
        match captured.pop() {
            Some(CapturedSite::Jets(batch)) => batch,
            _ => panic!("jets were asked for"),
        }
    };
    let vectors = direction(&form, 0, 5);
    let product = |batch| {
        let operator = JetOperator::new(&study.network, &form, vec![batch]);
        apply_one(&operator, &vectors)
    };
    let whole = product(batch());
    let mut drawn: Vec<DMatrix<f64>> = Vec::new();
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let part = batch().sampled(&study.network, 1, &mut rng);
        assert_eq!(part.batch, 1);
        let product = product(part);
        if drawn
            .iter()
            .all(|other| (other - &product).norm() > 1e-12 * product.norm())
        {
            drawn.push(product);
        }
    }
    assert_eq!(drawn.len(), BATCH, "each sample is drawn");
    let mean = drawn.iter().sum::<DMatrix<f64>>() / BATCH as f64;
    assert!((&mean - &whole).norm() < 1e-12 * whole.norm());
    let all = batch().sampled(
        &study.network,
        usize::MAX,
        &mut ChaCha8Rng::seed_from_u64(1),
    );
    assert_eq!(product(all), whole);
}

#[derive(Module, Debug)]
struct Odd {
    first: Linear,
    norm: BatchNorm,
    bias: Param<Tensor<1>>,
    last: Linear,
    #[module(skip)]
    subtracts: bool,
}

/// A bias behind a normalisation, or one that is taken away, is not part of `c θᵀx`.
#[test]
fn a_bias_that_is_not_added_to_the_product_goes_by_jets() {
    for subtracts in [false, true] {
        let device = Device::flex();
        let model = Odd {
            first: LinearConfig::new(3, 4).with_bias(false).init(&device),
            norm: BatchNormConfig::new(4).init(&device),
            bias: Param::from_tensor(Tensor::from_floats([0.1, 0.2, 0.3, 0.4], &device)),
            last: LinearConfig::new(4, 2).init(&device),
            subtracts,
        };
        let forward = |model: &Odd, x: Tensor<2>| {
            let bias = model.bias.val().unsqueeze();
            let z = model.first.forward(x);
            let z = match model.subtracts {
                true => z - bias,
                false => model.norm.forward::<2>(z) + bias,
            };
            model.last.forward(z.tanh())
        };
        let example = Tensor::<2>::ones([2, 3], &device);
        let trace = Trace::of(&model, &example, forward).expect("an ordinary model");
        let site = trace.graph().site("first").expect("it grows");
        assert_eq!(site.dim(), 4, "the bias is part of θ");
        let form = SiteForm::of(&trace, site, false);
        assert!(matches!(form.form, Form::Jets), "subtracts: {subtracts}");
    }
}
