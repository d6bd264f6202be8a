//! Channels of several layers: a sum's terms, and a depthwise layer behind another. Their neurons
//! are the rows of all of them, and what is predicted for them is what happens.

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::{Context, Criterion, SteepestDescent};
use burgeon_core::select::{Room, Selector, TopK};
use burgeon_core::{Candidate, CapturedLandscape, CoreError, Plan, SplitBackend};
use burgeon_nn::cost::predicts_exactly;
use burgeon_nn::growable::{cast, evaluate};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    Growable, MeanSquaredError, NnError, Samples, SpectrumConfig, capture_spectra, trace,
};
use burgeon_ops::{DepthwiseConv2d, DepthwiseConv2dConfig, FastConv2d, FastConv2dConfig};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const CHANNELS: usize = 4;
const SAMPLES: usize = 48;

/// Two layers whose outputs are added.
#[derive(Module, Debug)]
struct Tied {
    a: Linear,
    b: Linear,
    output: Linear,
}

impl Growable for Tied {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let sum = tanh(self.a.forward(input.clone())) + tanh(self.b.forward(input));
        self.output.forward(sum)
    }
}

/// A convolution and the depthwise one behind it.
#[derive(Module, Debug)]
struct Separable {
    pointwise: FastConv2d,
    depthwise: DepthwiseConv2d,
    output: Linear,
}

impl Growable for Separable {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = tanh(self.pointwise.forward(input));
        let maps = tanh(self.depthwise.forward(maps));
        self.output.forward(maps.mean_dims(&[2, 3]).flatten(1, 3))
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
    let model = Tied {
        a: LinearConfig::new(6, CHANNELS).init(&device),
        b: LinearConfig::new(6, CHANNELS).init(&device),
        output: LinearConfig::new(CHANNELS, 3).init(&device),
    };
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    let model = random.model(&model);
    let samples = Samples::regression(random.values([SAMPLES, 6]), random.values([SAMPLES, 3]));
    (model, samples.expect("sound"))
}

fn separable() -> (Separable, Samples<Tensor<4>>) {
    let device = FLEX.device().autodiff();
    let model = Separable {
        pointwise: FastConv2dConfig::new([2, CHANNELS], [1, 1]).init(&device),
        depthwise: DepthwiseConv2dConfig::new(CHANNELS, [3, 3]).init(&device),
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
    let landscape = CapturedLandscape::new(captured.expect("captured"), &FLEX);
    let found = SteepestDescent.candidates(&landscape, &mut Context::seeded(0));
    found.expect("computed")
}

/// All that a selector takes of `candidates`.
fn selected(candidates: Vec<Candidate>) -> Plan {
    let all = TopK::new(100).expect("in range");
    let chosen = all.select(candidates, &Room::default()).expect("selects");
    Plan::new("s2d", chosen)
}

/// Checks that `model` has one site, of which θ is the slices of `parameters`, that S2D says
/// what its splits do, and that no channel is split twice.
fn is_one_site<M: Growable>(model: &M, samples: &Samples<M::Input>, parameters: [&str; 4]) {
    let traced = trace(model, samples).expect("traceable");
    let graph = traced.graph();
    let sites: Vec<_> = graph.growable().collect();
    let [site] = sites[..] else {
        panic!("one site is expected:\n{graph}");
    };
    let theta = site.fan_in().iter();
    let theta: Vec<&str> = theta
        .map(|part| graph.parameters()[part.parameter].path.as_str())
        .collect();
    assert_eq!(theta, parameters);
    assert!(predicts_exactly(graph, site.name()));
    let candidates = candidates(model, samples);
    let twice = Plan::new("test", vec![candidates[0].clone(); 2]);
    let error = apply_plan(model, graph, &twice, 0.1).expect_err("split twice");
    let message = error.to_string();
    assert!(
        matches!(error, NnError::Core(CoreError::ClaimedTwice { .. })),
        "{message}"
    );
    assert!(message.contains(&format!("`{}`", site.name())), "{message}");
    let plan = selected(candidates);
    assert!(plan.growths.len() <= CHANNELS && plan.growths.len() > 1);
    let gain = plan.predicted_decrease(1.0).expect("of S2D");
    let loss = |model: &M| {
        let found = evaluate(model, &MeanSquaredError, samples, SAMPLES);
        found.expect("works").loss
    };
    let before = loss(model);
    // Terms of third order vanish with the step, those of second order do not.
    for (step, tolerance) in [(4e-3, 0.05), (5e-4, 0.005)] {
        let (grown, _) = apply_plan(model, graph, &plan, step).expect("works");
        let ratio = (before - loss(&grown)) / (gain * step * step);
        assert!((ratio - 1.0).abs() < tolerance, "{ratio} at {step}");
    }
}

#[test]
fn the_terms_of_a_sum_are_split_as_one() {
    let (model, samples) = tied();
    is_one_site(
        &model,
        &samples,
        ["a.weight", "a.bias", "b.weight", "b.bias"],
    );
}

#[test]
fn a_convolution_and_its_depthwise_one_are_split_as_one() {
    let (model, samples) = separable();
    let theta = [
        "pointwise.weight",
        "pointwise.bias",
        "depthwise.weight",
        "depthwise.bias",
    ];
    is_one_site(&model, &samples, theta);
}
