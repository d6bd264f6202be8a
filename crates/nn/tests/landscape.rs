//! What criteria and searches learn of a model.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::cost::Macs;
use burgeon_core::criterion::{
    Context, Criterion, Firefly, GradMax, Net2Net, RandomNeuron, RandomSignedSplit, RandomSplit,
    SignedSteepestDescent, SteepestDescent, Tiny,
};
use burgeon_core::growth::{Growth, Removal};
use burgeon_core::select::{PerLayer, Room, Selector};
use burgeon_core::{
    Candidate, CapturedLandscape, CoreError, Landscape, Needs, Plan, Site, SplitBackend,
    WeightBound,
};
use burgeon_nn::cost::added_costs;
use burgeon_nn::growable::{cast, evaluate};
use burgeon_nn::search::output_change_at_zero;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    Growable, MeanSquaredError, ModelLandscape, Samples, SpectrumConfig, Trace, capture_spectra,
    trace,
};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, tanh};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

#[derive(Module, Debug)]
struct Net {
    maps: Conv2d,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    has_kink: bool,
}

impl Net {
    fn new(device: &Device, has_kink: bool) -> Self {
        let net = Self {
            maps: Conv2dConfig::new([2, 3], [3, 3]).init(device),
            hidden: LinearConfig::new(3 * 4, 5).init(device),
            output: LinearConfig::new(5, 2).init(device),
            has_kink,
        };
        cast(&net, DType::F64)
    }
}

impl Growable for Net {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps: Tensor<2> = tanh(self.maps.forward(input)).flatten(1, 3);
        let hidden = self.hidden.forward(maps);
        self.output.forward(match self.has_kink {
            true => relu(hidden),
            false => tanh(hidden),
        })
    }
}

fn samples(count: usize, seed: u64) -> Samples<Tensor<4>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |shape: Vec<usize>| {
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        TensorData::new(values, shape)
    };
    let device = FLEX.device();
    let inputs = Tensor::from_data(draw(vec![count, 2, 4, 4]), (&device, DType::F64));
    let values = Tensor::from_data(draw(vec![count, 2]), (&device, DType::F64));
    Samples::regression(inputs, values).expect("sound")
}

struct Fixture {
    net: Net,
    samples: Samples<Tensor<4>>,
    trace: Arc<Trace>,
}

impl Fixture {
    fn new(has_kink: bool) -> Self {
        let net = Net::new(&FLEX.device().autodiff(), has_kink);
        let samples = samples(13, 1);
        let trace = Arc::new(trace(&net, &samples).expect("traceable"));
        Self {
            net,
            samples,
            trace,
        }
    }

    fn landscape(&self) -> ModelLandscape<'_, Net> {
        let trace = self.trace.clone();
        ModelLandscape::new(&self.net, trace, &MeanSquaredError, &self.samples, 4, &FLEX)
    }
}

fn every_criterion() -> Vec<Box<dyn Criterion>> {
    let bound = WeightBound::new(3.0).expect("at least 1");
    vec![
        Box::new(SteepestDescent),
        Box::new(SignedSteepestDescent::new(bound)),
        Box::new(RandomSplit),
        Box::new(RandomSignedSplit::new(bound)),
        Box::new(Net2Net),
        Box::new(RandomNeuron::zero_fan_out()),
        Box::new(RandomNeuron::zero_fan_in()),
        Box::new(Firefly::new()),
        Box::new(GradMax::new()),
        Box::new(Tiny::new()),
    ]
}

fn asked(criterion: &dyn Criterion, landscape: &dyn Landscape) -> Vec<Candidate> {
    let found = criterion.candidates(landscape, &mut Context::seeded(4));
    found.unwrap_or_else(|error| panic!("{}: {error}", criterion.name()))
}

#[test]
fn every_criterion_grows_a_model() {
    const STEPS: [f64; 3] = [0.4, -0.1, 0.0];
    let fixture = Fixture::new(false);
    let (net, samples) = (&fixture.net, &fixture.samples);
    for criterion in every_criterion() {
        let landscape = fixture.landscape();
        let graph = landscape.graph();
        let room = Room {
            widths: graph.widths(),
            cost: None,
        };
        let candidates = asked(criterion.as_ref(), &landscape);
        let chosen = PerLayer::new(0.3)
            .expect("in range")
            .select(candidates, &room);
        let plan = Plan::new(criterion.name(), chosen.expect("selects"));
        assert!(!plan.is_empty(), "{}", criterion.name());
        let change = output_change_at_zero(net, &plan, samples, 4).expect("fits");
        assert!(change <= 1e-12, "{}: {change:e}", criterion.name());
        let search = landscape.losses(&plan, &STEPS).expect("fits");
        let baseline = evaluate(net, &MeanSquaredError, samples, 4).expect("runs");
        assert!((search.baseline - baseline.loss).abs() <= 1e-12);
        for trial in &search.trials {
            let (grown, _) = apply_plan(net, graph, &plan, trial.epsilon).expect("fits");
            let own = evaluate(&grown, &MeanSquaredError, samples, 4).expect("runs");
            let found = trial.loss.expect("finite");
            assert!((found - own.loss).abs() <= 1e-12, "{}", criterion.name());
            // What is neutral has no step to search for.
            let moved = (found - search.baseline).abs() > 1e-9;
            let may_move = !plan.is_neutral() && trial.epsilon != 0.0;
            assert_eq!(moved, may_move, "{}: {trial:?}", criterion.name());
        }
        for (site, width) in graph.widths() {
            let added = (0.3 * width as f64).ceil() as isize;
            assert!(plan.channels_added(&site) <= added, "{}", criterion.name());
        }
    }
}

#[test]
fn the_spectra_are_those_of_a_capture() {
    let fixture = Fixture::new(false);
    let landscape = fixture.landscape();
    let config = SpectrumConfig::default();
    let captured = capture_spectra(
        &fixture.net,
        &MeanSquaredError,
        &fixture.samples,
        4,
        &config,
        &FLEX,
    );
    let captured = captured.expect("captured");
    let own = asked(&SteepestDescent, &landscape);
    assert!(!own.is_empty());
    let before = CapturedLandscape::new(captured.clone(), &FLEX);
    assert_eq!(own, asked(&SteepestDescent, &before));
    assert!((landscape.loss().expect("known") - captured.loss).abs() <= 1e-12);
    let [first, again] = [Needs::SPECTRA, Needs::SHAPES].map(|needs| landscape.capture(needs));
    let (first, again) = (first.expect("known"), again.expect("known"));
    assert!(Arc::ptr_eq(&first, &again), "captured once");
    // What was found stays when more is asked for.
    let both = landscape.capture(Needs::NORMS).expect("captured");
    let of = |site: &Site| (site.spectra.is_some(), site.norms.is_some());
    assert!(both.sites.iter().all(|site| of(site) == (true, true)));
}

/// Root mean squares over the columns of a matrix whose rows are neurons.
fn length(rows: &[Vec<f64>]) -> f64 {
    let squares = rows.iter().flatten().map(|value| value * value);
    (squares.sum::<f64>() / rows.len() as f64).sqrt()
}

#[test]
fn the_norms_are_those_of_the_weights() {
    let fixture = Fixture::new(false);
    let capture = fixture.landscape().capture(Needs::NORMS).expect("there");
    let [maps, hidden] = &capture.sites[..] else {
        panic!("two layers grow");
    };
    assert!(capture.sites.iter().all(|site| site.spectra.is_none()));
    let values = |data: TensorData| data.iter::<f64>().collect::<Vec<f64>>();
    let net = &fixture.net;
    let kernels = values(net.maps.weight.val().into_data());
    let bias = |bias: &Option<burn::module::Param<Tensor<1>>>| {
        values(bias.as_ref().expect("there is one").val().into_data())
    };
    let with = |rows: Vec<Vec<f64>>, bias: Vec<f64>| -> Vec<Vec<f64>> {
        let both = rows.into_iter().zip(bias);
        both.map(|(row, bias)| [row, vec![bias]].concat()).collect()
    };
    let read = kernels.chunks_exact(2 * 9).map(<[f64]>::to_vec).collect();
    let read = with(read, bias(&net.maps.bias));
    // Weights of linear layers are `[in, out]`; a map has four places.
    let linear = values(net.hidden.weight.val().into_data());
    let columns = (0..5).map(|j| linear.iter().skip(j).step_by(5).copied().collect());
    let columns = with(columns.collect(), bias(&net.hidden.bias));
    let by: Vec<Vec<f64>> = linear.chunks_exact(4 * 5).map(<[f64]>::to_vec).collect();
    let output = values(net.output.weight.val().into_data());
    let answered: Vec<Vec<f64>> = output.chunks_exact(2).map(<[f64]>::to_vec).collect();
    for (site, fan_in, fan_out) in [(maps, &read, &by), (hidden, &columns, &answered)] {
        let norms = site.norms.expect("asked for");
        assert_eq!(site.dim, fan_in[0].len(), "{}", site.name);
        assert_eq!(site.fan_out, fan_out[0].len(), "{}", site.name);
        assert!(
            (norms.fan_in - length(fan_in)).abs() <= 1e-12,
            "{}",
            site.name
        );
        assert!(
            (norms.fan_out - length(fan_out)).abs() <= 1e-12,
            "{}",
            site.name
        );
    }
}

#[test]
fn prices_are_those_of_the_cost_model() {
    let fixture = Fixture::new(false);
    let landscape = fixture.landscape().priced_by(&Macs);
    for needs in [Needs::SHAPES, Needs::NORMS, Needs::SPECTRA] {
        let capture = landscape.capture(needs).expect("captured");
        for (site, own) in capture.sites.iter().zip(landscape.sites()) {
            let expected = added_costs(landscape.graph(), &Macs, &site.name);
            assert_eq!(site.added_costs, expected);
            assert_eq!(own.added_costs, expected);
        }
    }
    let candidates = asked(&RandomNeuron::zero_fan_out(), &landscape);
    for candidate in candidates {
        let costs = added_costs(landscape.graph(), &Macs, candidate.growth.site());
        assert_eq!(candidate.price, costs[0]);
    }
}

#[test]
fn steps_are_searched_on_other_samples_where_they_are_given() {
    let fixture = Fixture::new(false);
    let held = samples(7, 2);
    let landscape = fixture.landscape().searched_on(&held);
    let plan = Plan::new("test", asked(&RandomSplit, &landscape));
    let search = landscape.losses(&plan, &[0.2]).expect("fits");
    let (grown, _) = apply_plan(&fixture.net, landscape.graph(), &plan, 0.2).expect("fits");
    for (net, found) in [
        (&fixture.net, search.baseline),
        (&grown, search.trials[0].loss.expect("finite")),
    ] {
        let own = evaluate(net, &MeanSquaredError, &held, 4).expect("runs");
        assert!((own.loss - found).abs() <= 1e-12);
    }
    let of_captured = landscape.loss().expect("runs");
    let own = evaluate(&fixture.net, &MeanSquaredError, &fixture.samples, 4);
    assert!((of_captured - own.expect("runs").loss).abs() <= 1e-12);
}

#[test]
fn what_does_not_fit_is_said() {
    let fixture = Fixture::new(true);
    let landscape = fixture.landscape();
    let dead = RandomNeuron::zero_fan_in().candidates(&landscape, &mut Context::seeded(0));
    match dead {
        Err(CoreError::DeadStart { site }) => assert_eq!(site, "hidden"),
        other => panic!("{other:?} behind a ReLU"),
    }
    let removal = |site: &str, neuron| {
        let site = site.to_owned();
        let shape = landscape.sites()[0].clone();
        let growth = Growth::Removal(Removal { site, neuron });
        Plan::new("test", vec![Candidate::new(&shape, growth)])
    };
    for (plan, said) in [
        (removal("nowhere", 0), "nowhere"),
        (removal("hidden", 5), "changes neuron 5"),
    ] {
        let error = landscape.losses(&plan, &[0.1]).expect_err("does not fit");
        assert!(matches!(error, CoreError::Landscape(_)), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let mut twice = removal("hidden", 1);
    twice.growths.push(twice.growths[0].clone());
    let error = landscape.losses(&twice, &[0.1]).expect_err("does not fit");
    assert!(matches!(error, CoreError::ClaimedTwice { .. }), "{error}");
}
