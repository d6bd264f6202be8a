//! New neurons and removals of ordinary models against what they stand for.
//!
//! Growths are compared with the network as it is under other weights, in which no channel is added
//! or taken away: a new neuron that computes what another does is that one read by other weights,
//! and a neuron that is removed is one that is read by zeros.

use std::collections::{HashMap, HashSet};

use burgeon_core::growth::{NewNeuron, Removal, Side};
use burgeon_graph::{Graph, Slices};
use burn::backend::{AutodiffBackend, TensorMetadata};
use rand::RngExt;

use super::*;
use crate::replay::Probes;
use crate::surgery::{apply_plan, keep_channels};

mod fireflies;
mod gradients;
mod trial;

use trial::*;

/// Nothing changes where nothing may, and the network becomes as wide as the plan says.
fn neurons_are_added(trial: &Trial) {
    let (graph, sites) = (trial.graph(), trial.sites());
    let mut all = Vec::new();
    for (number, site) in sites.iter().enumerate() {
        let new = new_neuron(graph, site, number as u64);
        let unread = plan_of([Growth::NewNeuron(silent(&new))]);
        for epsilon in [0.0, EPSILON] {
            let output = trial.both(&unread, epsilon);
            trial.is_close("silent", &unread, &output, &trial.before, 1e-12);
        }
        let read = plan_of([Growth::NewNeuron(new.clone())]);
        let output = trial.both(&read, 0.0);
        trial.is_close("at 0", &read, &output, &trial.before, 1e-12);
        let far = trial.both(&read, EPSILON);
        // A fan-in that is scaled is one that has other numbers.
        let scaled = |fan_in: Vec<f64>, scaled| NewNeuron {
            fan_in,
            scaled,
            ..new.clone()
        };
        let by = plan_of([Growth::NewNeuron(scaled(new.fan_in.clone(), Side::FanIn))]);
        let shorter = new.fan_in.iter().map(|value| value * EPSILON);
        let own = plan_of([Growth::NewNeuron(scaled(shorter.collect(), Side::FanOut))]);
        let [by_step, by_numbers] = [(&by, EPSILON), (&own, 1.0)]
            .map(|(plan, epsilon)| numbers(trial.replayed(plan, epsilon)));
        trial.is_close("the scaled fan-in", &by, &by_step, &by_numbers, 1e-12);
        assert_eq!(far.len(), trial.before.len());
        all.push(Growth::NewNeuron(silent(&new)));
        all.push(Growth::NewNeuron(new));
        all.push(Growth::NewNeuron(new_neuron(graph, site, !(number as u64))));
    }
    let all = plan_of(all);
    let output = trial.both(&all, 0.0);
    trial.is_close("all at 0", &all, &output, &trial.before, 1e-12);
    trial.both(&all, EPSILON);
    trial.new_neurons_read_the_old_ones(&all);
}

/// A new neuron that computes what another does is that other one, read by the weights of both.
fn copies_of_neurons_are_those_neurons(trial: &Trial) {
    let sites = trial.sites();
    // Alone and at all sites: the first new neuron is like the first, the second like the second.
    let mut groups: Vec<Vec<&Site>> = sites.iter().map(|site| vec![*site]).collect();
    groups.push(sites);
    for group in groups {
        let mut like = Vec::new();
        for site in &group {
            like.extend((0..site.width().min(2)).map(|channel| (*site, channel)));
        }
        let mut places = HashSet::new();
        for (site, channel) in &like {
            places.extend(trial.theta(site, *channel).1);
        }
        let (mut growths, mut added) = (Vec::new(), Vec::new());
        for (number, (site, channel)) in like.into_iter().enumerate() {
            let fan_out = trial.reads(site, channel, &places, number as u64);
            let by = fan_out.iter().map(|weight| weight * EPSILON).collect();
            growths.push(Growth::NewNeuron(NewNeuron {
                site: site.name().into(),
                fan_in: trial.theta(site, channel).0,
                fan_out,
                scaled: Side::FanOut,
                statistics: Vec::new(),
                like: None,
            }));
            added.push((site, channel, by));
        }
        let plan = plan_of(growths);
        let found = trial.both(&plan, EPSILON);
        let expected = trial.read_otherwise(&added, &[]);
        trial.is_close("copies", &plan, &found, &expected, 1e-10);
    }
}

/// A neuron that is removed is one that nothing reads, and what is left is what is kept.
fn neurons_are_removed(trial: &Trial) {
    let wide: Vec<&Site> = trial
        .sites()
        .into_iter()
        .filter(|s| s.width() > 1)
        .collect();
    let mut groups: Vec<Vec<(&Site, usize)>> = Vec::new();
    for (number, site) in wide.iter().enumerate() {
        groups.push(vec![(site, number % site.width())]);
    }
    groups.push(wide.iter().map(|site| (*site, 3 % site.width())).collect());
    let last = |site: &Site| (0..site.width() - 2).rev().collect::<Vec<_>>();
    // All but the last two, from the end on.
    groups.push(
        wide.iter()
            .flat_map(|site| last(site).into_iter().map(move |neuron| (*site, neuron)))
            .collect(),
    );
    for group in groups {
        let plan = plan_of(group.iter().map(|(site, neuron)| removal(site, *neuron)));
        let found = trial.both(&plan, 0.0);
        let step = numbers(trial.replayed(&plan, EPSILON));
        assert_eq!(found, step, "{}: ε moves nothing", trial.study.name);
        let expected = trial.read_otherwise(&[], &group);
        trial.is_close("read by none", &plan, &found, &expected, 1e-12);
        let mut kept: Vec<(String, Vec<usize>)> = Vec::new();
        for site in &wide {
            let gone = group.iter().filter(|(of, _)| of.name() == site.name());
            let gone: Vec<usize> = gone.map(|(_, neuron)| *neuron).collect();
            if !gone.is_empty() {
                let rest = (0..site.width()).filter(|channel| !gone.contains(channel));
                kept.push((site.name().into(), rest.collect()));
            }
        }
        let pruned = keep_channels(&trial.study.model, trial.graph(), &kept);
        let (pruned, _) = pruned.unwrap_or_else(|error| panic!("{}: {error}", trial.study.name));
        let parameters = |model: &AnyModel| {
            let trace = trial.study.network.trace.clone();
            Network::of(trace, model).expect("one type").parameters
        };
        let own = parameters(&trial.operated(&plan, 0.0));
        let others = parameters(&pruned);
        assert_eq!(own.len(), others.len());
        for (id, own) in own {
            assert_eq!(
                numbers(own),
                numbers(others[&id].clone()),
                "{}: {plan}",
                trial.study.name
            );
        }
    }
}

/// Splits, new neurons and removals at neighbouring sites, and all of them at each.
fn growths_go_together(trial: &Trial) {
    let (graph, sites) = (trial.graph(), trial.sites());
    for turn in 0..4 {
        let (mut growths, mut like, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for (number, site) in sites.iter().enumerate() {
            let is_on = |kind: usize| turn == 3 || (number + turn) % 3 == kind;
            // The last one goes, the first is copied, the second is split.
            if is_on(0) && site.width() > 2 {
                growths.push(removal(site, site.width() - 1));
                removed.push((*site, site.width() - 1));
            }
            if is_on(1) {
                like.push((*site, growths.len()));
                growths.push(Growth::NewNeuron(new_neuron(graph, site, number as u64)));
            }
            if is_on(2) {
                growths.push(copies(site, 1 % site.width()));
            }
        }
        // Copies that do not move: known for every ε.
        let mut places = HashSet::new();
        for (site, _) in &like {
            places.extend(trial.theta(site, 0).1);
        }
        let mut added = Vec::new();
        for (number, (site, at)) in like.into_iter().enumerate() {
            let fan_out = trial.reads(site, 0, &places, 31 + number as u64);
            let by = fan_out.iter().map(|weight| weight * EPSILON).collect();
            added.push((site, 0, by));
            growths[at] = Growth::NewNeuron(NewNeuron {
                site: site.name().into(),
                fan_in: trial.theta(site, 0).0,
                fan_out,
                scaled: Side::FanOut,
                statistics: Vec::new(),
                like: None,
            });
        }
        let plan = plan_of(growths.iter().cloned());
        let found = trial.both(&plan, EPSILON);
        let expected = trial.read_otherwise(&added, &removed);
        trial.is_close("together", &plan, &found, &expected, 1e-10);
        // Growths that do move, the other way round: at 0 the removals are left.
        for (number, growth) in growths.iter_mut().enumerate() {
            let site = graph.site(growth.site()).expect("it grows");
            let seed = 77 + number as u64;
            *growth = match &*growth {
                Growth::Split(split) => moving(site, split.neuron, seed),
                Growth::NewNeuron(_) => Growth::NewNeuron(new_neuron(graph, site, seed)),
                other => other.clone(),
            };
        }
        let plan = plan_of(growths.into_iter().rev());
        trial.both(&plan, EPSILON);
        let found = trial.both(&plan, 0.0);
        let expected = trial.read_otherwise(&[], &removed);
        trial.is_close("together at 0", &plan, &found, &expected, 1e-10);
    }
}

/// What a loss's gradient is to the parameters as operations read them.
#[derive(Default)]
struct ParameterProbes {
    parameters: HashMap<TensorId, ParamId>,
    found: Vec<(ParamId, Tensor<1>)>,
}

impl Probes for ParameterProbes {
    fn lifted(&mut self, value: Value) -> Value {
        match value.dtype().is_float() {
            true => Dispatch::from_inner(value),
            false => value,
        }
    }

    fn read(&mut self, _operation: usize, id: TensorId, value: Value) -> Value {
        let Some(parameter) = self.parameters.get(&id) else {
            return value;
        };
        let (seen, probe) = burgeon_ops::probed(Tensor::<1>::from_dispatch(value));
        self.found.push((*parameter, probe));
        seen.into_dispatch()
    }

    fn made(&mut self, _id: TensorId, value: Value) -> Value {
        value
    }

    fn plain(&self, value: Value) -> Value {
        value
    }
}

impl Trial {
    /// The slope of the loss in ε at 0: its gradient in all parameters, which are affine in ε; and
    /// the sum of its terms without their signs.
    fn slope(&self, plan: &Plan) -> (f64, f64) {
        let grown = self.grown(plan);
        let [still, moved] = [0.0, 1.0].map(|epsilon| grown.at(epsilon));
        let mut probes = ParameterProbes::default();
        probes.parameters.clone_from(&still.trace.parameters);
        let run = still.run(&self.study.inputs, BATCH, &|_| false, &mut probes);
        let (output, _) = run.unwrap_or_else(|error| panic!("{}: {error}", self.study.name));
        let gradients = self.study.loss(output).backward();
        let (mut slope, mut size) = (0.0, 0.0);
        for (id, probe) in &probes.found {
            let Some(gradient) = probe.grad(&gradients) else {
                continue;
            };
            let [from, to] =
                [&still, &moved].map(|network| numbers(network.parameters[id].clone()));
            let gradient: Vec<f64> = gradient.into_data().iter::<f64>().collect();
            assert_eq!(gradient.len(), from.len(), "{}", self.study.name);
            for (gradient, (from, to)) in gradient.into_iter().zip(from.into_iter().zip(to)) {
                slope += gradient * (to - from);
                size += (gradient * (to - from)).abs();
            }
        }
        (slope, size)
    }
}

/// The loss under a new neuron that is read by ε times its fan-out is of first order in ε.
fn losses_are_of_first_order(trial: &Trial) {
    let (graph, sites) = (trial.graph(), trial.sites());
    // Short enough to cross few kinks, where there are any.
    let exact = graph
        .nodes()
        .iter()
        .all(|node| node.smoothness == Smoothness::Exact);
    let step = if exact { 1e-4 } else { 1e-7 };
    let news: Vec<NewNeuron> = sites
        .iter()
        .enumerate()
        .map(|(number, site)| new_neuron(graph, site, 500 + number as u64))
        .collect();
    let baseline = trial.study.loss_of(value(TensorData::new(
        trial.before.clone(),
        [trial.before.len()],
    )));
    let mut plans: Vec<Plan> = news
        .iter()
        .map(|new| plan_of([Growth::NewNeuron(new.clone())]))
        .collect();
    plans.push(plan_of(news.into_iter().map(Growth::NewNeuron)));
    let mut clear = 0;
    for plan in &plans {
        let loss = |epsilon| trial.study.loss_of(trial.replayed(plan, epsilon));
        let (slope, size) = trial.slope(plan);
        let central = (loss(step) - loss(-step)) / (2.0 * step);
        println!(
            "{}: slope {slope:+.6e}, differences {central:+.6e}, of {size:.1e}",
            trial.study.name
        );
        assert!(
            (central - slope).abs() <= 1e-5 * size,
            "{}: slope {slope:e}, differences {central:e}, of {size:e}\n{plan}",
            trial.study.name
        );
        if slope.abs() > 1e-2 * size {
            let ratio = (loss(step) - baseline) / (step * slope);
            assert!(
                (ratio - 1.0).abs() < 2e-2,
                "{}: ratio {ratio}\n{plan}",
                trial.study.name
            );
            clear += 1;
        }
    }
    assert!(
        2 * clear > plans.len(),
        "{}: {clear} slopes of {}",
        trial.study.name,
        plans.len()
    );
}

/// A neuron that computes 0, since its fan-in is 0 and its activation is 0 there, is read by what
/// it is read by without a difference; and the loss has a slope in its fan-in.
fn zero_fan_ins_change_nothing_and_learn(trial: &Trial) {
    for (number, site) in trial.sites().into_iter().enumerate() {
        let new = NewNeuron {
            scaled: Side::FanIn,
            ..new_neuron(trial.graph(), site, 900 + number as u64)
        };
        let (slope, size) = trial.slope(&plan_of([Growth::NewNeuron(new.clone())]));
        assert!(
            slope != 0.0 && slope.is_finite(),
            "{}: {slope} of {size}",
            trial.study.name
        );
        let empty = plan_of([Growth::NewNeuron(NewNeuron {
            fan_in: Vec::new(),
            ..new.clone()
        })]);
        for (plan, epsilon) in [(&empty, EPSILON), (&plan_of([Growth::NewNeuron(new)]), 0.0)] {
            let output = trial.both(plan, epsilon);
            trial.is_close("a zero fan-in", plan, &output, &trial.before, 1e-12);
        }
    }
}

#[test]
fn zero_fan_ins_keep_outputs_where_zero_gives_zero() {
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::Mlp>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::MlpTanh>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::MlpMixer>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::TwoInputs>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::ChannelsFirst>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::Grouped>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::LstmCell>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::SlicedLstmCell>());
    zero_fan_ins_change_nothing_and_learn(&Trial::new::<crate::zoo::TextEncoder>());
}

macro_rules! tests {
    ($($name:ident: $model:ident,)+) => {
        $(impl Growable for crate::zoo::$model {
            type Input = <Self as Example>::Input;
            type Output = <Self as Example>::Output;

            fn predict(&self, input: <Self as Example>::Input) -> <Self as Example>::Output {
                Example::predict(self, input)
            }
        }

        impl Operable for crate::zoo::$model {})+

        mod zoo_adds_neurons {
            $(#[test]
            fn $name() {
                super::neurons_are_added(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_copies_neurons {
            $(#[test]
            fn $name() {
                super::copies_of_neurons_are_those_neurons(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_removes_neurons {
            $(#[test]
            fn $name() {
                super::neurons_are_removed(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_grows_all_ways {
            $(#[test]
            fn $name() {
                super::growths_go_together(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_losses {
            $(#[test]
            fn $name() {
                super::losses_are_of_first_order(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_fireflies {
            $(#[test]
            fn $name() {
                super::fireflies::fireflies_are_ranked_and_leave_no_trace(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
        mod zoo_gradients {
            $(#[test]
            fn $name() {
                super::gradients::gradients_are_those_of_the_loss(&super::Trial::new::<crate::zoo::$model>());
            })+
        }
    };
}
every_example!(tests);
