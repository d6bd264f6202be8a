//! A channel with several sites is split at one of them.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Criterion, SteepestDescent};
use burgeon_core::select::{Selector, TopK};
use burgeon_core::{Activation, Budget, Candidate, Plan, SplitBackend};
use burgeon_nn::growable::{cast, evaluate};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    Growable, GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d,
    GrowableDepthwiseConv2dConfig, GrowableLinear, GrowableLinearConfig, MeanSquaredError, NnError,
    Samples, SpectrumConfig, Topology, capture_spectra,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const CHANNELS: usize = 4;
const SAMPLES: usize = 48;

/// Two layers whose outputs are added.
#[derive(Module, Debug)]
struct Tied {
    a: GrowableLinear,
    b: GrowableLinear,
    output: Linear,
}

impl Growable for Tied {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let sum = self.a.forward(input.clone()) + self.b.forward(input);
        self.output.forward(sum)
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let mut topology = Topology::builder();
        let sum = topology.open("a", &self.a);
        topology.tie(sum, "b", &self.b);
        topology.feed(sum, "output", &self.output);
        topology.build()
    }
}

/// A convolution and the depthwise one behind it.
#[derive(Module, Debug)]
struct Separable {
    pointwise: GrowableConv2d,
    depthwise: GrowableDepthwiseConv2d,
    output: Linear,
}

impl Growable for Separable {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = self.depthwise.forward(self.pointwise.forward(input));
        self.output.forward(maps.mean_dims(&[2, 3]).flatten(1, 3))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("pointwise", &self.pointwise)
            .layer("depthwise", &self.depthwise)
            .layer("output", &self.output)
            .build()
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn values<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f64> = (0..count).map(|_| self.0.random_range(-1.0..1.0)).collect();
        let data = TensorData::new(values, shape);
        Tensor::from_data(data, (&FLEX.device(), DType::F64))
    }

    /// `model` in f64 with random weights.
    fn model<M: Module>(&mut self, model: &M) -> M {
        cast(model, DType::F64).map(self)
    }
}

impl ModuleMapper for Random {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let value = Tensor::from_inner(self.values(tensor.dims())).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

fn tied() -> (Tied, Samples<Tensor<2>>) {
    let device = FLEX.device().autodiff();
    let hidden = || {
        GrowableLinearConfig::new(6, CHANNELS)
            .with_activation(Activation::Tanh)
            .init(&device)
            .expect("widths are positive")
    };
    let model = Tied {
        a: hidden(),
        b: hidden(),
        output: LinearConfig::new(CHANNELS, 3).init(&device),
    };
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    let model = random.model(&model);
    let samples = Samples::regression(random.values([SAMPLES, 6]), random.values([SAMPLES, 3]));
    (model, samples.expect("sound"))
}

fn separable() -> (Separable, Samples<Tensor<4>>) {
    let device = FLEX.device().autodiff();
    let pointwise = GrowableConv2dConfig::new([2, CHANNELS], [1, 1])
        .with_norm(false)
        .with_bias(true)
        .with_activation(Activation::Tanh);
    let depthwise = GrowableDepthwiseConv2dConfig::new(CHANNELS, [3, 3])
        .with_norm(false)
        .with_bias(true)
        .with_activation(Activation::Tanh);
    let model = Separable {
        pointwise: pointwise.init(&device).expect("sound"),
        depthwise: depthwise.init(&device).expect("sound"),
        output: LinearConfig::new(CHANNELS, 3).init(&device),
    };
    let mut random = Random(ChaCha8Rng::seed_from_u64(2));
    let model = random.model(&model);
    let inputs = random.values([SAMPLES, 2, 5, 5]);
    let samples = Samples::regression(inputs, random.values([SAMPLES, 3]));
    (model, samples.expect("sound"))
}

fn candidates<M: Growable>(model: &M, samples: &Samples<M::Input>) -> Vec<Candidate> {
    let config = SpectrumConfig::default();
    let captured = capture_spectra(model, &MeanSquaredError, samples, 64, &config, &FLEX);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let found = SteepestDescent.candidates(&captured.expect("captured"), &FLEX, &mut rng);
    found.expect("computed")
}

/// All that a selector takes of `candidates`.
fn selected(candidates: &[Candidate]) -> Plan {
    let budget = Budget {
        neurons: 2 * CHANNELS,
        room: None,
    };
    let chosen = TopK::new(100)
        .expect("in range")
        .select(candidates.to_vec(), budget)
        .expect("selects");
    Plan::new("s2d", chosen)
}

/// A channel that candidates of two sites split, as a plan that does both.
fn split_twice(candidates: &[Candidate]) -> Plan {
    let of_another_site = |first: &Candidate| {
        let same = |other: &&Candidate| other.neuron == first.neuron && other.site != first.site;
        let second = candidates.iter().find(same)?;
        Some(vec![first.clone(), second.clone()])
    };
    let both = candidates.iter().find_map(of_another_site);
    Plan::new("test", both.expect("two sites want to split one channel"))
}

/// How much the loss falls under each step.
fn decreases<M: Growable>(
    model: &M,
    plan: &Plan,
    samples: &Samples<M::Input>,
    steps: [f64; 2],
) -> [f64; 2] {
    let loss = |model: &M| {
        let found = evaluate(model, &MeanSquaredError, samples, SAMPLES);
        found.expect("works").loss
    };
    let topology = model.topology().expect("fits");
    steps.map(|step| {
        let (grown, _) = apply_plan(model, &topology, plan, step).expect("works");
        loss(model) - loss(&grown)
    })
}

fn refuses_to_split_twice<M: Growable>(model: &M, candidates: &[Candidate], sites: [&str; 2]) {
    let plan = split_twice(candidates);
    let topology = model.topology().expect("fits");
    let error = apply_plan(model, &topology, &plan, 0.1).expect_err("split twice");
    let message = error.to_string();
    assert!(matches!(error, NnError::Plan(_)), "{message}");
    for site in sites {
        assert!(message.contains(&format!("`{site}`")), "{message}");
    }
}

#[test]
fn layers_whose_outputs_are_added_split_a_channel_once() {
    let (model, samples) = tied();
    let candidates = candidates(&model, &samples);
    refuses_to_split_twice(&model, &candidates, ["a", "b"]);
    let plan = selected(&candidates);
    assert!(plan.growths.len() <= CHANNELS && plan.growths.len() > 1);
    let steps = [4e-3, 2e-3];
    let measured = decreases(&model, &plan, &samples, steps);
    let gain = plan.predicted_gain().expect("of S2D");
    for (step, measured) in steps.iter().zip(measured) {
        let ratio = measured / (gain * step * step);
        assert!((ratio - 1.0).abs() < 0.05, "{ratio} at {step}");
    }
}

#[test]
fn a_convolution_and_its_depthwise_one_split_a_channel_once() {
    let (model, samples) = separable();
    let candidates = candidates(&model, &samples);
    refuses_to_split_twice(&model, &candidates, ["pointwise", "depthwise"]);
    let plan = selected(&candidates);
    assert!(plan.growths.len() <= CHANNELS && plan.growths.len() > 1);
    // The prediction leaves out what the depthwise layer does to copies of a pointwise neuron,
    // which is of second order too.
    let [whole, half] = decreases(&model, &plan, &samples, [4e-3, 2e-3]);
    assert!((whole / half - 4.0).abs() < 0.1, "{}", whole / half);
    let depthwise: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| candidate.site == "depthwise")
        .collect();
    let plan = selected(&depthwise);
    assert!(!plan.is_empty());
    let [measured, _] = decreases(&model, &plan, &samples, [4e-3, 2e-3]);
    let ratio = measured / (plan.predicted_gain().expect("of S2D") * 4e-3 * 4e-3);
    assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
}
