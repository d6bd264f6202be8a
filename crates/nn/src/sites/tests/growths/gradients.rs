//! Gradients in the weights of growths against differences.

use burgeon_core::{GradientRequest, PlanGradient, SlopeAtZero};

use super::*;
use crate::gradient::GradientSum;

/// Splits and new neurons of either kind at every site.
fn everything(graph: &Graph, sites: &[&Site]) -> Plan {
    let mut growths = Vec::new();
    for (number, site) in sites.iter().enumerate() {
        let seed = number as u64;
        growths.push(moving(site, 0, seed ^ 0x5911));
        if site.width() > 1 {
            growths.push(copies(site, 1));
        }
        growths.push(Growth::NewNeuron(new_neuron(graph, site, seed)));
        growths.push(Growth::NewNeuron(NewNeuron {
            scaled: Side::FanIn,
            ..new_neuron(graph, site, seed ^ 0x77)
        }));
    }
    plan_of(growths)
}

/// The numbers of a growth, with how much each moves a weight at ε.
fn weights(growth: &mut Growth, epsilon: f64) -> Vec<(&mut Vec<f64>, f64)> {
    match growth {
        Growth::Split(split) => {
            let copies = split.offspring.iter_mut();
            copies.map(|copy| (&mut copy.offset, epsilon)).collect()
        }
        Growth::NewNeuron(NewNeuron {
            fan_in,
            fan_out,
            scaled,
            ..
        }) => {
            let of = |side| if *scaled == side { epsilon } else { 1.0 };
            let (own, read) = (of(Side::FanIn), of(Side::FanOut));
            vec![(fan_in, own), (fan_out, read)]
        }
        other => panic!("{other} has no numbers"),
    }
}

fn found(trial: &Trial, plan: &Plan, at: &GradientRequest) -> PlanGradient {
    let study = &trial.study;
    let sum = GradientSum::new(&study.network, plan);
    let mut sum = sum.unwrap_or_else(|error| panic!("{}: {error}: {plan}", study.name));
    let added = sum.add(at, &study.inputs, BATCH, &|output| Ok(study.loss(output)));
    added.unwrap_or_else(|error| panic!("{}: {error}: {plan}", study.name));
    sum.into_gradient(plan).expect("finite")
}

/// Each growth's gradient along a random direction is what the loss changes by, all growths being
/// in the network.
pub(super) fn gradients_are_those_of_the_loss(trial: &Trial) {
    let plan = everything(trial.graph(), &trial.sites());
    let at = GradientRequest::at(EPSILON);
    let gradient = found(trial, &plan, &at);
    let loss = |plan: &Plan| trial.study.loss_of(trial.replayed(plan, EPSILON));
    let own = loss(&plan);
    let difference = (gradient.loss - own).abs();
    // Burn computes a hard sigmoid in f32 where gradients are recorded.
    assert!(
        difference < 1e-8 * own,
        "{}: {difference} of {own}",
        trial.study.name
    );
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (number, known) in gradient.growths.iter().enumerate() {
        let sides: Vec<&Vec<f64>> = known.fan_in.iter().chain([&known.fan_out]).collect();
        let all: Vec<f64> = sides.iter().flat_map(|side| side.iter().copied()).collect();
        let scale = norm(&all).max(1e-3 * own);
        let measured = |step: f64| {
            let mut slope = 0.0;
            let [mut up, mut down] = [plan.clone(), plan.clone()];
            for (plan, sign) in [(&mut up, step), (&mut down, -step)] {
                slope = 0.0;
                let own = weights(&mut plan.growths[number].growth, EPSILON);
                for (side, ((values, moves), known)) in own.into_iter().zip(&sides).enumerate() {
                    let direction = drawn(values.len(), (number * 7 + side) as u64);
                    for ((value, by), g) in values.iter_mut().zip(direction).zip(*known) {
                        *value += sign * by;
                        slope += moves * by * g;
                    }
                }
            }
            let difference = (loss(&up) - loss(&down)) / (2.0 * step) - slope;
            difference.abs() / scale
        };
        // A long step may cross a kink or the edge of a pooled maximum.
        let [long, short] = [1e-5, 1e-8].map(measured);
        assert!(
            long < 2e-6 || short < 2e-5,
            "{}: {}: {long} and {short} of {scale}",
            trial.study.name,
            plan.growths[number].growth
        );
    }
    // Along ε, of all growths together.
    let slope = plan.growths().zip(&gradient.growths);
    let slope: f64 = slope.map(|(growth, own)| own.along(growth)).sum();
    let at_step = |epsilon: f64| trial.study.loss_of(trial.replayed(&plan, epsilon));
    let scale = slope.abs().max(own);
    let measured = |step: f64| {
        let measured = (at_step(EPSILON + step) - at_step(EPSILON - step)) / (2.0 * step);
        (measured - slope).abs() / scale
    };
    let [long, short] = [1e-5, 1e-8].map(measured);
    assert!(
        long < 1e-6 || short < 1e-5,
        "{}: {long}, {short}",
        trial.study.name
    );
}

/// A neuron whose fan-in is zero has a gradient behind a ReLU once the ReLU has a slope there, and
/// none as it is trained.
#[test]
fn a_slope_at_zero_is_seen_where_a_relu_has_none() {
    let trial = Trial::new::<crate::zoo::MlpRelu>();
    let (graph, sites) = (trial.graph(), trial.sites());
    let silent = |site: &&Site| {
        Growth::NewNeuron(NewNeuron {
            fan_in: Vec::new(),
            scaled: Side::FanIn,
            ..new_neuron(graph, site, 5)
        })
    };
    let plan = plan_of(sites.iter().map(silent));
    let trained = found(&trial, &plan, &GradientRequest::default());
    let one = GradientRequest::default().with_slope_at_zero(SlopeAtZero::One);
    let seen = found(&trial, &plan, &one);
    assert!(!plan.growths.is_empty());
    for (trained, seen) in trained.growths.iter().zip(&seen.growths) {
        assert!(trained.fan_in.iter().flatten().all(|value| *value == 0.0));
        assert!(seen.fan_in.iter().flatten().any(|value| value.abs() > 1e-6));
    }
    // The fan-out's gradient is what the neuron answers with, which is nothing.
    assert!(seen.growths[0].fan_out.iter().all(|value| *value == 0.0));
}
