//! One neuron that answers for its copies against the copies themselves.

use burgeon_core::growth::{Growth, NewNeuron, Removal, Side, Split};
use burgeon_core::scheme::WeightBound;
use burgeon_core::{Plan, Scheme};
use burgeon_graph::Site;
use burgeon_ops::{FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig};
use burn::backend::ir::TensorId;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig};
use burn::tensor::activation::{silu, tanh};
use burn::tensor::{DType, Tensor};

use super::{Action, MergedGrowth, fits};
use crate::growable::Growable;
use crate::replay::{NoProbe, Values, worth_keeping};
use crate::sites::form::Form;
use crate::sites::tests::{BATCH, Operable, Study, numbers, plan_of};
use crate::sites::virtual_growth::{Grown, VirtualGrowth};
use crate::zoo::layers::{global_mean, linear};
use crate::zoo::{every_example, example};

const GRID: [f64; 4] = [0.9, 0.0, -0.4, 0.05];

const SCHEMES: [Scheme; 4] = [
    Scheme::Positive2,
    Scheme::Negative2,
    Scheme::Positive3,
    Scheme::Four,
];

/// This project's convolutions: one with a BatchNorm, pooled by means, one with a bias, and one
/// that does not grow, since its maps are the answer.
#[derive(Module, Debug)]
struct Fast {
    first: FastConv2d,
    norm: FastBatchNorm,
    pool: AvgPool2d,
    second: FastConv2d,
    third: FastConv2d,
    hidden: Linear,
    head: Linear,
}

impl Fast {
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = silu(self.norm.forward(self.first.forward(x)));
        let h = tanh(self.second.forward(self.pool.forward(h)));
        let h = silu(global_mean(self.third.forward(h)));
        self.head.forward(tanh(self.hidden.forward(h)))
    }
}

example!(Fast = "fast", [2, 6, 6] => [3], |device| Fast {
    first: FastConv2dConfig::new([2, 6], [3, 3]).with_bias(false).init(device),
    norm: FastBatchNormConfig::new(6).init(device),
    pool: AvgPool2dConfig::new([2, 2]).init(),
    second: FastConv2dConfig::new([6, 5], [2, 2]).init(device),
    third: FastConv2dConfig::new([5, 4], [1, 1]).init(device),
    hidden: linear(4, 6, device),
    head: linear(6, 3, device),
});

impl Growable for Fast {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        self.forward(input)
    }
}

impl Operable for Fast {}

fn unit(dim: usize, seed: usize) -> Vec<f64> {
    let angles = (0..dim).map(|k| (1.0 + (k * 7 + seed * 13) as f64).sin());
    let values: Vec<f64> = angles.collect();
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    values.into_iter().map(|value| value / norm).collect()
}

fn growth(site: &Site, neuron: usize, scheme: Scheme) -> Growth {
    let bound = WeightBound::new(3.0).expect("at least 1");
    let [min, max] = [1, 2].map(|seed| unit(site.dim(), seed + 3 * neuron));
    Growth::Split(Split {
        site: site.name().into(),
        neuron,
        scheme,
        offspring: scheme.offspring(&min, &max, bound),
    })
}

/// `split` neurons of each of `sites`, all schemes in turn.
fn plan(sites: &[&Site], split: usize, first: usize) -> Plan {
    let mut growths = Vec::new();
    for site in sites {
        for k in 0..split.min(site.width()) {
            let scheme = SCHEMES[(first + growths.len()) % SCHEMES.len()];
            // From the last one on, so that the order is not the channels'.
            growths.push(growth(site, site.width() - 1 - k, scheme));
        }
    }
    plan_of(growths)
}

/// The sites of a model that merge.
fn merging(study: &Study) -> Vec<&Site> {
    let trace = &*study.network.trace;
    let sites = trace.graph().growable();
    sites
        .filter(|site| match Form::of(trace, site) {
            Form::Pointwise(form) => fits::merges(trace, site, &form),
            Form::Jets => false,
        })
        .collect()
}

/// Outputs under `plan` are those of the widened network; how far the first step of the grid moves
/// them, relative to the largest.
fn agrees(study: &Study, plan: &Plan) -> f64 {
    let network = &study.network;
    let merged = MergedGrowth::of(network, plan).expect("the device works");
    let merged = merged.unwrap_or_else(|| panic!("{}: {plan} merges", study.name));
    let kept = worth_keeping(&network.trace);
    let few = passed(study, &|id| kept.contains(&id));
    let outputs = merged.outputs(&few, &GRID, BATCH).expect("it runs");
    // Nothing of the pass was written over.
    let again = merged.outputs(&few, &GRID, BATCH).expect("it runs");
    let all = passed(study, &|_| true);
    let grown = Grown::new(network, plan).expect("a plan that fits");
    let baseline = numbers(all[&network.trace.output].clone());
    let scale = baseline.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let largest = |a: &[f64], b: &[f64]| {
        let pairs = a.iter().zip(b);
        pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
    };
    let mut first = None;
    for ((epsilon, output), again) in GRID.into_iter().zip(outputs).zip(again) {
        let widened = grown.at(epsilon);
        let widened = widened.run_from(&all, &grown.changed(), BATCH);
        let widened = numbers(widened.expect("it runs"));
        let output = numbers(output);
        let difference = largest(&output, &widened);
        assert!(
            difference <= 1e-12 * scale,
            "{}, ε = {epsilon}: {difference} of {scale}\n{plan}",
            study.name
        );
        assert_eq!(output, numbers(again), "{}, ε = {epsilon}", study.name);
        let moved = largest(&output, &baseline) / scale;
        assert!(moved < 1e-12 || epsilon != 0.0, "{}: {moved}", study.name);
        first.get_or_insert(moved);
    }
    first.unwrap_or_default()
}

/// What holds of every model: each site that merges alone, and all of them together.
fn merges_where_it_may(study: &Study) {
    let sites = merging(study);
    for (index, site) in sites.iter().enumerate() {
        agrees(study, &plan(&[site], 1, index));
    }
    if !sites.is_empty() {
        agrees(study, &plan(&sites, 2, 0));
        agrees(study, &plan(&sites, usize::MAX, 1));
    }
    // Any plan, by the way that it takes, of what is kept of a pass.
    let network = &study.network;
    let all: Vec<&Site> = network.trace.graph().growable().collect();
    let plan = plan(&all, 1, 0);
    let growth = VirtualGrowth::of(network, &plan, &GRID).expect("a plan that fits");
    let is_merged = matches!(growth, VirtualGrowth::Merged(..));
    assert_eq!(is_merged, sites.len() == all.len(), "{}", study.name);
    let grown = Grown::new(network, &plan).expect("a plan that fits");
    let kept = worth_keeping(&network.trace);
    let outputs = growth.outputs(&passed(study, &|id| kept.contains(&id)), BATCH);
    for (epsilon, output) in GRID.into_iter().zip(outputs.expect("it runs")) {
        let widened = grown.at(epsilon);
        let widened = widened.run_from(&passed(study, &|_| true), &grown.changed(), BATCH);
        let widened = numbers(widened.expect("it runs"));
        let scale = widened.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (a, b) in numbers(output).into_iter().zip(widened) {
            let difference = (a - b).abs();
            assert!(difference <= 1e-11 * scale, "{}: {difference}", study.name);
        }
    }
}

/// A pass of the network as it is, with the tensors that `keep` names.
fn passed(study: &Study, keep: &dyn Fn(TensorId) -> bool) -> Values {
    let network = &study.network;
    let run = network.run(&study.inputs, BATCH, keep, &mut NoProbe);
    let (output, mut values) = run.expect("it was traced");
    values.insert(network.trace.output, output);
    values
}

macro_rules! tests {
    ($($name:ident: $model:ident,)+) => {
        mod zoo_merges {
            $(#[test]
            fn $name() {
                super::merges_where_it_may(&super::Study::new::<crate::zoo::$model>(super::DType::F64));
            })+
        }
    };
}
every_example!(tests);

fn names<M: Operable>() -> Vec<String> {
    let study = Study::new::<M>(DType::F64);
    let sites = merging(&study);
    sites.iter().map(|site| site.name().to_owned()).collect()
}

#[test]
fn layers_of_known_activations_merge() {
    assert_eq!(names::<crate::zoo::Mlp>(), ["fc1", "fc2"]);
    assert_eq!(names::<crate::zoo::MlpRelu>(), ["net.fc1", "net.fc2"]);
    assert_eq!(names::<crate::zoo::MlpBatchNorm>(), ["fc1"]);
    assert_eq!(names::<Fast>(), ["first", "second", "hidden"]);
    let first = |stage| format!("blocks.{stage}.first.conv");
    let firsts: Vec<String> = (0..9).map(first).collect();
    assert_eq!(names::<crate::zoo::ResNet20>(), firsts);
}

#[test]
fn copies_before_a_max_pool_do_not_merge() {
    let study = Study::new::<crate::zoo::Vgg>(DType::F64);
    let merging: Vec<&str> = merging(&study).iter().map(|site| site.name()).collect();
    assert_eq!(merging, ["stages.2.layers.0.conv"]);
    let graph = study.network.trace.graph();
    let merges = |sites: &[&Site]| {
        let merged = MergedGrowth::of(&study.network, &plan(sites, 1, 0));
        merged.expect("the device works").is_some()
    };
    for site in graph.growable() {
        assert_eq!(
            merges(&[site]),
            site.name() == merging[0],
            "{}",
            site.name()
        );
    }
    // One such site has the whole plan widened.
    assert!(!merges(&graph.growable().collect::<Vec<_>>()));
}

#[test]
fn plans_that_do_not_fit_are_left_to_widening() {
    let study = Study::new::<crate::zoo::Mlp>(DType::F64);
    let sites = merging(&study);
    let changed = |change: &dyn Fn(&mut Split)| {
        let mut plan = plan(&sites[..1], 1, 0);
        match &mut plan.growths[0].growth {
            Growth::Split(split) => change(split),
            other => panic!("{other} is no split"),
        }
        plan
    };
    let far = changed(&|split| split.neuron = 99);
    let mut twice = plan(&sites[..1], 1, 0);
    twice.growths.push(twice.growths[0].clone());
    let short = changed(&|split| {
        split.offspring[0].offset.pop();
    });
    let unknown = changed(&|split| split.site = "fc9".into());
    for plan in [far, twice, short, unknown] {
        let merged = MergedGrowth::of(&study.network, &plan);
        assert!(merged.expect("the device works").is_none(), "{plan}");
        assert!(Grown::new(&study.network, &plan).is_err(), "{plan}");
    }
}

/// What a neuron answers for is its copies: plans of anything else widen, as a whole.
#[test]
fn plans_with_other_growths_than_splits_are_left_to_widening() {
    let study = Study::new::<crate::zoo::Mlp>(DType::F64);
    let sites = merging(&study);
    let name = || sites[0].name().to_owned();
    let new = Growth::NewNeuron(NewNeuron {
        site: name(),
        fan_in: unit(sites[0].dim(), 1),
        fan_out: Vec::new(),
        scaled: Side::FanOut,
        statistics: Vec::new(),
        like: None,
    });
    let removal = Growth::Removal(Removal {
        site: name(),
        neuron: 0,
    });
    for other in [new, removal] {
        let mut mixed = plan(&sites[1..], 1, 0);
        assert!(MergedGrowth::of(&study.network, &mixed).is_ok_and(|merged| merged.is_some()));
        mixed.growths.extend(plan_of([other]).growths);
        let merged = MergedGrowth::of(&study.network, &mixed);
        assert!(merged.expect("the device works").is_none(), "{mixed}");
        let growth = VirtualGrowth::of(&study.network, &mixed, &GRID).expect("it fits");
        assert!(matches!(growth, VirtualGrowth::Widened(_)), "{mixed}");
    }
}

#[test]
fn our_convolutions_merge_whatever_is_split() {
    let study = Study::new::<Fast>(DType::F64);
    let sites = merging(&study);
    for split in 1..=3 {
        for first in 0..SCHEMES.len() {
            for sites in [&sites[..], &sites[..2], &sites[1..]] {
                let moved = agrees(&study, &plan(sites, split, first));
                assert!(moved > 1e-6, "nothing moves: {moved}");
            }
        }
    }
}

/// A convolution that reads few split channels multiplies only those.
#[test]
fn a_reader_of_few_split_channels_is_not_run_anew() {
    let study = Study::new::<Fast>(DType::F64);
    let sites = merging(&study);
    let products = |plan: &Plan| {
        let merged = MergedGrowth::of(&study.network, plan);
        let merged = merged.expect("the device works").expect("it merges");
        let steps = merged.steps.iter();
        steps
            .filter(|step| matches!(step.action, Action::Product(_)))
            .count()
    };
    assert_eq!(products(&plan(&sites[..1], 2, 0)), 1);
    assert_eq!(products(&plan(&sites[..1], 4, 0)), 0);
    agrees(&study, &plan(&sites[..1], 2, 0));
}
