//! Kinks: the closed form of the surrogate, `3 s (1 - s)` with `s = sigmoid(3 z)`.

use super::super::{Smoothness, smoothness};
use super::{Traced, against_closed_form, close, noise, numbers, step, surrogate};
use burn::tensor::Tensor;
use burn::tensor::activation as act;

fn points() -> Vec<f64> {
    noise(40, 5).iter().map(|u| 4.0 * u).collect()
}

#[test]
fn piecewise_linear_functions() {
    let x = points();
    against_closed_form("relu", act::relu, &x, step, surrogate);
    against_closed_form("abs", |x| x.abs(), &x, f64::signum, |z| 2.0 * surrogate(z));
    against_closed_form(
        "clamp_min",
        |x| x.clamp_min(0.5),
        &x,
        |x| step(x - 0.5),
        |x| surrogate(x - 0.5),
    );
    against_closed_form(
        "clamp_max",
        |x| x.clamp_max(0.5),
        &x,
        |x| step(0.5 - x),
        |x| -surrogate(x - 0.5),
    );
    let inside = |x: f64, a: f64, b: f64| step(x - a) - step(x - b);
    let both = |x: f64, a: f64, b: f64| surrogate(x - a) - surrogate(x - b);
    against_closed_form(
        "relu6",
        act::relu6,
        &x,
        |x| inside(x, 0.0, 6.0),
        |x| both(x, 0.0, 6.0),
    );
    against_closed_form(
        "hardtanh",
        |x| act::hardtanh(x, -1.0, 1.0),
        &x,
        |x| inside(x, -1.0, 1.0),
        |x| both(x, -1.0, 1.0),
    );
    let leaky = |x: f64| 0.125 + 0.875 * step(x);
    against_closed_form(
        "leaky_relu",
        |x| act::leaky_relu(x, 0.125),
        &x,
        leaky,
        |x| 0.875 * surrogate(x),
    );
    against_closed_form(
        "prelu",
        |x| act::prelu(x.clone(), Tensor::from_floats([0.125], &x.device())),
        &x,
        leaky,
        |x| 0.875 * surrogate(x),
    );
    let alpha = f64::from(0.2_f32);
    against_closed_form(
        "hard_sigmoid",
        |x| act::hard_sigmoid(x, f64::from(0.2_f32), 0.5),
        &x,
        |x| alpha * inside(alpha * x + 0.5, 0.0, 1.0),
        |x| alpha * alpha * both(alpha * x + 0.5, 0.0, 1.0),
    );
    against_closed_form("sign", |x| x.clone().sign() + x, &x, |_| 1.0, |_| 0.0);
}

#[test]
fn products_with_kinks() {
    let x = points();
    let sixth = |x: f64| x / 6.0 + 0.5;
    let gate = |x: f64| sixth(x).clamp(0.0, 1.0);
    let slope = |x: f64| {
        if sixth(x) > 0.0 && sixth(x) < 1.0 {
            1.0 / 6.0
        } else {
            0.0
        }
    };
    let bump = |x: f64| (surrogate(sixth(x)) - surrogate(sixth(x) - 1.0)) / 36.0;
    against_closed_form(
        "hard_swish",
        act::hard_swish,
        &x,
        |x| gate(x) + x * slope(x),
        |x| 2.0 * slope(x) + x * bump(x),
    );
    // x / (1 + |x|): u = 1 + |x|, u′ = ±1, u″ = 2 kinks
    against_closed_form(
        "softsign",
        act::softsign,
        &x,
        |x| (1.0 + x.abs()).powi(-2),
        |x| {
            let (u, s) = (1.0 + x.abs(), x.signum());
            -2.0 * s / (u * u) + x * (2.0 / u.powi(3) - 2.0 * surrogate(x) / (u * u))
        },
    );
}

#[test]
fn a_slope_that_moves() {
    // y = prelu(x, a), both moving
    let traced = Traced::new(7, |p| {
        let slope = p.clone().slice_dim(0, 6..7);
        act::prelu(p.slice_dim(0, 0..6).reshape([2, 3]), slope).reshape([6])
    });
    let x = [-1.5, 0.3, -0.2, 1.0, -0.7, 0.1, 0.25];
    let (d, e) = (noise(7, 1), noise(7, 2));
    let jet = traced
        .jet(&x, traced.vector(&d), traced.vector(&e), true)
        .unwrap();
    let (a, da, ea) = (x[6], d[6], e[6]);
    let first = |k: usize| match x[k] > 0.0 {
        true => d[k],
        false => a * d[k] + da * x[k],
    };
    let second = |k: usize| {
        let smooth = match x[k] > 0.0 {
            true => e[k],
            false => a * e[k] + 2.0 * da * d[k] + ea * x[k],
        };
        smooth + (1.0 - a) * surrogate(x[k]) * d[k] * d[k]
    };
    let each = |f: &dyn Fn(usize) -> f64| (0..6).map(f).collect::<Vec<_>>();
    close(
        "prelu",
        "first",
        &numbers(&jet.first.unwrap()),
        &each(&first),
        1e-12,
    );
    close(
        "prelu",
        "second",
        &numbers(&jet.second.unwrap()),
        &each(&second),
        1e-12,
    );
}

#[test]
fn smoothness_of_operations() {
    let of = |function: fn(Tensor<1>) -> Tensor<1>| {
        let traced = Traced::new(4, function);
        let (last, _) = traced.compute().last().unwrap();
        smoothness(last)
    };
    assert_eq!(of(act::gelu), Smoothness::Exact);
    assert_eq!(of(act::relu), Smoothness::Surrogate);
    assert_eq!(of(|x| x.clamp_min(0.1)), Smoothness::Surrogate);
    assert_eq!(of(act::selu), Smoothness::Surrogate);
    assert_eq!(of(|x| x.max_dim(0)), Smoothness::Selection);
}
