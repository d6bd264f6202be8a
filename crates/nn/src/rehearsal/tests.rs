//! Rehearsals against surgery.

use burgeon_backend_flex::FLEX;
use burgeon_core::plan::Growth;
use burgeon_core::scheme::{Offspring, WeightBound};
use burgeon_core::{Activation, Plan, Scheme, SplitBackend};
use burgeon_ops::max_pool2d;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Losses, rehearse};
use crate::error::NnError;
use crate::growable::{Growable, cast, evaluate};
use crate::grower::{line_search, preview};
use crate::layers::{
    GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d, GrowableDepthwiseConv2dConfig,
    GrowableLinear, GrowableLinearConfig,
};
use crate::objective::MeanSquaredError;
use crate::passes::ForwardPasses;
use crate::samples::Samples;
use crate::topology::Topology;

type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

const GRID: [f64; 3] = [0.9, -0.4, 0.05];
const BATCH: usize = 7;
const SAMPLES: usize = 40;

/// Two convolutions, the channels between them pooled or convolved depthwise, a flattening, a
/// linear layer.
#[derive(Module, Debug)]
struct Net {
    conv1: GrowableConv2d,
    between: Option<GrowableDepthwiseConv2d>,
    conv2: GrowableConv2d,
    linear: GrowableLinear,
    output: Linear,
    is_pooled: bool,
}

impl Growable for Net {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = self.conv1.forward(input);
        if self.is_pooled {
            maps = max_pool2d(maps, [2, 2], [2, 2]);
        }
        if let Some(between) = &self.between {
            maps = between.forward(maps);
        }
        let maps = self.conv2.forward(maps).mean_dim(3);
        let [b, c, h, _] = maps.dims();
        self.output
            .forward(self.linear.forward(maps.reshape([b, c * h])))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let mut chain = Topology::chain().layer("conv1", &self.conv1);
        if let Some(between) = &self.between {
            chain = chain.layer("between", between);
        }
        chain
            .layer("conv2", &self.conv2)
            .flatten(self.linear.linear.weight.dims()[0] / self.conv2.neurons())
            .layer("linear", &self.linear)
            .layer("output", &self.output)
            .build()
    }
}

fn net(
    is_pooled: bool,
    is_depthwise: bool,
    activation: Activation,
    device: &Device,
) -> Tested<Net> {
    let conv1 = GrowableConv2dConfig::new([2, 8], [3, 3])
        .with_stride([1, 2])
        .with_bias(true)
        .with_activation(activation);
    let conv2 = GrowableConv2dConfig::new([8, 4], [3, 3])
        .with_norm(false)
        .with_activation(activation);
    let between = GrowableDepthwiseConv2dConfig::new(8, [3, 3]).with_activation(activation);
    let height = if is_pooled { 3 } else { 6 };
    let linear = GrowableLinearConfig::new(4 * height, 6)
        .with_norm(true)
        .with_activation(activation);
    device.seed(3);
    let device = device.clone().autodiff();
    let net = Net {
        conv1: conv1.init(&device)?,
        between: is_depthwise.then(|| between.init(&device)).transpose()?,
        conv2: conv2.init(&device)?,
        linear: linear.init(&device)?,
        output: LinearConfig::new(6, 3).init(&device),
        is_pooled,
    };
    // Normalisations that do something.
    let train = samples(&device.inner())?.to_autodiff();
    for _ in 0..3 {
        net.predict(train.inputs().clone());
    }
    Ok(net)
}

fn samples(device: &Device) -> Tested<Samples<Tensor<4>>> {
    device.seed(4);
    let normal = Distribution::Normal(0.0, 1.5);
    let inputs = Tensor::random([SAMPLES, 2, 6, 8], normal, (device, DType::F32));
    let values = Tensor::random([SAMPLES, 3], normal, (device, DType::F32));
    Ok(Samples::regression(inputs, values)?)
}

fn to_f64(samples: &Samples<Tensor<4>>) -> Tested<Samples<Tensor<4>>> {
    let inputs = samples.inputs().clone().cast(DType::F64);
    Ok(samples.with_inputs(inputs, |values| values.cast(DType::F64))?)
}

fn growth(net: &Net, site: &str, neuron: usize, scheme: Scheme) -> Tested<Growth> {
    let topology = net.topology()?;
    let dim = topology.sites().find(|(name, _)| *name == site);
    let dim = dim.ok_or("no such site")?.1.dim;
    let mut rng = ChaCha8Rng::seed_from_u64(neuron as u64);
    let [min, max] = [(); 2].map(|()| {
        let unit = burgeon_core::criterion::unit_vector(dim, &mut rng);
        unit.into_iter()
            .map(|value| 4.0 * value)
            .collect::<Vec<f64>>()
    });
    let bound = WeightBound::new(3.0)?;
    Ok(Growth {
        site: site.into(),
        neuron,
        scheme,
        offspring: scheme.offspring(&min, &max, bound),
        gain: None,
        cost: 1,
    })
}

fn plan(growths: Vec<Growth>) -> Plan {
    Plan {
        criterion: "test".into(),
        growths,
    }
}

fn rehearsed(
    net: &Net,
    plan: &Plan,
    samples: &Samples<Tensor<4>>,
) -> Result<Option<Losses>, NnError> {
    let passes = ForwardPasses::new(net, samples, BATCH)?;
    rehearse(&passes, plan, &GRID, &MeanSquaredError)
}

/// The largest difference between the rehearsal's losses and the grown networks', relative.
fn difference(net: &Net, plan: &Plan, samples: &Samples<Tensor<4>>) -> Tested<f64> {
    let found = rehearsed(net, plan, samples)?.ok_or("left to surgery")?;
    let baseline = evaluate(net, &MeanSquaredError, samples, BATCH)?;
    let mut worst = (found.baseline / baseline.loss - 1.0).abs();
    for (epsilon, loss) in GRID.iter().zip(found.grown) {
        let grown = preview(net, plan, *epsilon, &MeanSquaredError, samples, BATCH)?.loss;
        let change = (grown / baseline.loss - 1.0).abs();
        assert!(
            *epsilon < 0.5 || change > 1e-6,
            "ε = {epsilon} changes nothing"
        );
        worst = worst.max((loss / grown - 1.0).abs());
    }
    Ok(worst)
}

/// Every scheme at every site, alone and together, few and many neurons of a site.
fn plans(net: &Net) -> Tested<Vec<Plan>> {
    let at = |site, neurons: &[usize], scheme| -> Tested<Vec<Growth>> {
        let of = |neuron: &usize| growth(net, site, *neuron, scheme);
        neurons.iter().map(of).collect()
    };
    let mut plans: Vec<Plan> = Scheme::DIRECTED
        .into_iter()
        .chain([Scheme::Net2Wider])
        .map(|scheme| Ok(plan(at("conv1", &[5, 2], scheme)?)))
        .collect::<Tested<_>>()?;
    plans.push(plan(at(
        "conv1",
        &[0, 1, 2, 3, 4, 5, 6],
        Scheme::Positive2,
    )?));
    plans.push(plan(at("conv2", &[3], Scheme::Four)?));
    plans.push(plan(at("linear", &[0, 4], Scheme::Mixed3)?));
    let mixed = [
        at("conv1", &[1], Scheme::Positive2)?,
        at("conv1", &[6], Scheme::Four)?,
        at("conv1", &[7], Scheme::Net2Wider)?,
        at("conv2", &[0, 2], Scheme::Negative3)?,
        at("linear", &[5], Scheme::Negative2)?,
    ];
    plans.push(plan(mixed.concat()));
    Ok(plans)
}

#[test]
fn losses_are_those_of_the_grown_networks() -> Tested {
    let device = FLEX.device();
    let samples = samples(&device)?;
    let exact = to_f64(&samples)?;
    for activation in [Activation::Tanh, Activation::relu(), Activation::Gelu] {
        let net = net(false, false, activation, &device)?;
        let double = cast(&net, DType::F64);
        for plan in plans(&net)? {
            let found = difference(&double, &plan, &exact)?;
            assert!(found < 1e-11, "{activation}, {plan}: {found:e} in f64");
            let found = difference(&net, &plan, &samples)?;
            assert!(found < 1e-4, "{activation}, {plan}: {found:e} in f32");
        }
    }
    Ok(())
}

#[test]
fn the_same_losses_with_any_number_of_threads() -> Tested {
    let device = FLEX.device();
    let samples = samples(&device)?;
    let net = net(false, false, Activation::Silu, &device)?;
    let plan = plans(&net)?.pop().ok_or("no plan")?;
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let losses = pool.build()?.install(|| rehearsed(&net, &plan, &samples))?;
        Tested::Ok(losses.ok_or("left to surgery")?)
    };
    assert_eq!(with(1)?, with(3)?);
    Ok(())
}

#[test]
fn what_is_not_linear_in_between_is_left_to_surgery() -> Tested {
    let device = FLEX.device();
    let samples = samples(&device)?;
    for (is_pooled, is_depthwise) in [(true, false), (false, true)] {
        let net = net(is_pooled, is_depthwise, Activation::Tanh, &device)?;
        let first = plan(vec![growth(&net, "conv1", 2, Scheme::Positive2)?]);
        assert_eq!(rehearsed(&net, &first, &samples)?, None);
        let search = line_search(&net, &first, &GRID, &MeanSquaredError, &samples, BATCH)?;
        for (epsilon, trial) in GRID.iter().zip(search.trials) {
            let grown = preview(&net, &first, *epsilon, &MeanSquaredError, &samples, BATCH)?;
            assert_eq!(trial.loss, Some(grown.loss));
        }
        // Behind it nothing is in the way.
        let second = plan(vec![growth(&net, "conv2", 2, Scheme::Positive2)?]);
        assert!(difference(&net, &second, &samples)? < 1e-4);
    }
    Ok(())
}

#[test]
fn plans_that_only_surgery_understands() -> Tested {
    let device = FLEX.device();
    let samples = samples(&device)?;
    let depthwise = net(false, true, Activation::Tanh, &device)?;
    let filters = plan(vec![growth(&depthwise, "between", 2, Scheme::Positive2)?]);
    assert_eq!(rehearsed(&depthwise, &filters, &samples)?, None);
    let net = net(false, false, Activation::Tanh, &device)?;
    let once = growth(&net, "conv2", 1, Scheme::Positive2)?;
    assert!(rehearsed(&net, &plan(vec![once.clone()]), &samples)?.is_some());
    let twice = plan(vec![once.clone(), once.clone()]);
    assert_eq!(rehearsed(&net, &twice, &samples)?, None);
    let unsound = |change: &dyn Fn(&mut Growth)| {
        let mut growth = once.clone();
        change(&mut growth);
        let plan = plan(vec![growth]);
        line_search(&net, &plan, &GRID, &MeanSquaredError, &samples, BATCH)
    };
    assert!(
        unsound(&|growth| growth.site = "elsewhere".into()).is_err(),
        "no such site"
    );
    assert!(
        unsound(&|growth| growth.neuron = 4).is_err(),
        "no such neuron"
    );
    assert!(
        unsound(&|growth| growth.offspring[0].offset.truncate(3)).is_err(),
        "too short"
    );
    assert!(
        unsound(&|growth| growth.offspring[0].weight = 2.0).is_err(),
        "weights sum to 2.5"
    );
    assert!(
        unsound(&|growth| growth.offspring.clear()).is_err(),
        "no copies"
    );
    assert!(
        unsound(&|growth| growth.offspring[1].offset[0] = f64::NAN).is_err(),
        "not a number"
    );
    Ok(())
}

#[test]
fn copies_that_rest_need_no_direction() -> Tested {
    let device = FLEX.device();
    let samples = samples(&device)?;
    let net = net(false, false, Activation::Tanh, &device)?;
    let mut growth = growth(&net, "conv1", 1, Scheme::Positive2)?;
    for Offspring { offset, .. } in &mut growth.offspring {
        offset.fill(0.0);
    }
    let found = rehearsed(&net, &plan(vec![growth]), &samples)?.ok_or("left to surgery")?;
    for loss in found.grown {
        assert!((loss / found.baseline - 1.0).abs() < 1e-6);
    }
    Ok(())
}
