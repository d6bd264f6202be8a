//! First-order gains of new layers.

use burgeon_core::{GradientRequest, Landscape};
use burn::tensor::DType;

use crate::models::{Drawn, Study, conv, mlp, plain, plan_of};

/// The slope of the loss along ε, of growths together, against differences.
fn slopes_are_differences<M: Drawn>(study: &Study<M>) {
    let landscape = study.landscape();
    let layers = study.layers(7);
    let mut plans: Vec<_> = layers
        .iter()
        .map(|layer| plan_of([layer.clone()]))
        .collect();
    plans.push(plan_of(layers.iter().cloned()));
    plans.push(plan_of(study.wider(8).into_iter().chain(layers)));
    for plan in plans {
        for epsilon in [0.0, 0.4] {
            let found = landscape.gradient(&plan, &GradientRequest::at(epsilon));
            let found = found.expect("a plan that fits");
            let pairs = plan.growths().zip(&found.growths);
            let slope: f64 = pairs.map(|(growth, own)| own.along(growth)).sum();
            let h = 1e-4;
            let at = [
                epsilon + h,
                epsilon - h,
                epsilon + 2.0 * h,
                epsilon - 2.0 * h,
            ];
            let losses = landscape.losses(&plan, &at).expect("a plan that fits");
            let loss = |k: usize| losses.trials[k].loss.expect("finite");
            let difference = (8.0 * (loss(0) - loss(1)) - (loss(2) - loss(3))) / (12.0 * h);
            let error = (slope - difference).abs();
            assert!(
                error <= 1e-6 * difference.abs(),
                "{slope} {difference} {plan}"
            );
        }
    }
}

#[test]
fn first_order_gains_equal_differences() {
    slopes_are_differences(&Study::new(mlp(2, DType::F64), DType::F64));
    slopes_are_differences(&Study::new(conv(DType::F64), DType::F64));
    slopes_are_differences(&Study::new(plain(DType::F64), DType::F64));
}

/// Each number of a new layer has its own gradient.
#[test]
fn gradients_in_all_numbers_equal_differences() {
    let study = Study::new(plain(DType::F64), DType::F64);
    let landscape = study.landscape();
    let mut growths = study.layers(9);
    growths.extend(study.wider(10));
    let found = landscape.gradient(&plan_of(growths.clone()), &GradientRequest::at(1.0));
    let found = found.expect("a plan that fits");
    for number in 0..growths.len() {
        let burgeon_core::Growth::NewLayer(layer) = growths[number].clone() else {
            continue;
        };
        let own = &found.growths[number];
        let sides = [(&own.fan_in[0], true), (&own.fan_out, false)];
        for (gradient, is_opening) in sides {
            for place in (0..gradient.len()).step_by(3) {
                let loss = |by: f64| {
                    let mut moved = layer.clone();
                    let numbers = match is_opening {
                        true => &mut moved.opening,
                        false => &mut moved.closing,
                    };
                    numbers[place] += by;
                    let mut growths = growths.clone();
                    growths[number] = burgeon_core::Growth::NewLayer(moved);
                    let losses = landscape.losses(&plan_of(growths), &[1.0]);
                    losses.expect("it fits").trials[0].loss.expect("finite")
                };
                let difference = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                let error = (gradient[place] - difference).abs();
                assert!(error <= 1e-6 * difference.abs().max(1e-2), "{error}");
            }
        }
    }
}
