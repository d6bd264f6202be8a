//! Smooth functions: activations, table of pointwise functions, compositions.

use super::{Traced, against_differences, noise};
use burn::tensor::Tensor;
use burn::tensor::activation as act;

type Function = Box<dyn Fn(Tensor<1>) -> Tensor<1>>;

fn check(table: Vec<(&str, Function)>, from: f64, to: f64) {
    check_within(table, from, to, 1e-9);
}

fn check_within(table: Vec<(&str, Function)>, from: f64, to: f64, tolerance: f64) {
    for (name, function) in table {
        let x: Vec<_> = noise(24, 3)
            .iter()
            .map(|u| from + (to - from) * (u + 1.0) / 2.0)
            .collect();
        let traced = Traced::new(x.len(), function);
        against_differences(name, &traced, &x, 4e-3, tolerance);
    }
}

fn boxed(function: impl Fn(Tensor<1>) -> Tensor<1> + 'static) -> Function {
    Box::new(function)
}

macro_rules! table {
    ($($name:literal => $function:expr),+ $(,)?) => {
        vec![$(($name, boxed($function))),+]
    };
}

#[test]
fn smooth_activations() {
    let table = table! {
        "gelu" => act::gelu,
        "gelu_approximate" => act::gelu_approximate,
        "sigmoid" => act::sigmoid,
        "log_sigmoid" => act::log_sigmoid,
        "silu" => act::silu,
        "tanh" => act::tanh,
        "tanhshrink" => act::tanhshrink,
        "softplus" => |x| act::softplus(x, 1.0),
        "softplus of 2.5" => |x| act::softplus(x, 2.5),
        "mish" => act::mish,
        "elu" => |x| act::elu(x, 1.0),
        "celu" => |x| act::celu(x, 0.7),
        "softmax" => |x| act::softmax(x.reshape([4, 6]), 1).reshape([24]),
        "softmax over rows" => |x| act::softmax(x.reshape([4, 6]), 0).reshape([24]),
        "softmin" => |x| act::softmin(x.reshape([4, 6]), 1).reshape([24]),
        "log_softmax" => |x| act::log_softmax(x.reshape([4, 6]), 1).reshape([24]),
        "quiet_softmax" => |x| act::quiet_softmax(x.reshape([4, 6]), 1).reshape([24]),
        "glu" => |x| act::glu(x, 0),
    };
    // ELU's second derivative jumps at 0: no difference may reach across
    check(table, -2.9, -0.05);
    let table = table! {
        "gelu" => act::gelu,
        "sigmoid" => act::sigmoid,
        "log_sigmoid" => act::log_sigmoid,
        "silu" => act::silu,
        "tanh" => act::tanh,
        "softplus" => |x| act::softplus(x, 1.0),
        "mish" => act::mish,
        "elu" => |x| act::elu(x, 1.0),
        "celu" => |x| act::celu(x, 0.7),
    };
    check(table, 0.05, 3.0);
}

#[test]
fn softplus_is_smooth_where_it_saturates() {
    // Burn takes the identity above 20: a jump, and a kink, of 2e-9
    let table = || table! { "softplus" => |x| act::softplus(x, 1.0), "mish" => act::mish };
    check_within(table(), 17.0, 19.9, 1e-7);
    check_within(table(), 20.1, 22.0, 1e-7);
}

#[test]
fn pointwise_functions() {
    let table = table! {
        "exp" => |x| x.exp(),
        "log" => |x| x.log(),
        "log1p" => |x| x.log1p(),
        "erf" => |x| x.erf(),
        "sqrt" => |x| x.sqrt(),
        "recip" => |x| x.recip(),
        "sin" => |x| x.sin(),
        "cos" => |x| x.cos(),
        "tan" => |x| x.tan(),
        "sinh" => |x| x.sinh(),
        "cosh" => |x| x.cosh(),
        "tanh" => |x| x.tanh(),
        "asin" => |x| x.asin(),
        "acos" => |x| x.acos(),
        "atan" => |x| x.atan(),
        "asinh" => |x| x.asinh(),
        "acosh" => |x| (x + 1.0).acosh(),
        "atanh" => |x| x.atanh(),
        "powf_scalar" => |x| x.powf_scalar(2.3),
        "powi_scalar" => |x| x.powi_scalar(3),
        "powf_scalar of 1" => |x| x.powf_scalar(1.0) * 2.0,
        "powf" => |x| {
            let p = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 2.5, -1.5, 3.0], &x.device());
            x.reshape([4, 6]).powf(p.reshape([1, 6])).reshape([24])
        },
        "atan2" => |x| { let [a, b] = halves(x); a.atan2(b) },
        "hypot" => |x| { let [a, b] = halves(x); a.hypot(b) },
        "div" => |x| { let [a, b] = halves(x); a / b },
        "mul of itself" => |x| x.clone() * x,
        "neg" => |x| -(x.exp()),
        "scalars" => |x| (x.sin() * 3.0 - 0.5) / 7.0 + 2.0,
        "1 / x" => |x| 2.0 / x,
    };
    check(table, 0.3, 0.75);
}

fn halves(x: Tensor<1>) -> [Tensor<1>; 2] {
    let half = x.dims()[0] / 2;
    [
        x.clone().slice_dim(0, 0..half),
        x.slice_dim(0, half..2 * half),
    ]
}

#[test]
fn powers_at_zero_have_no_poles() {
    let exponents = [0.0, 1.0, 2.0, 3.0];
    let traced = Traced::new(4, move |x| {
        let p = Tensor::from_floats(exponents, &x.device());
        x.powf(p)
    });
    against_differences("powf at 0", &traced, &[0.0; 4], 1e-3, 1e-9);
    let traced = Traced::new(4, |x| {
        x.clone().powf_scalar(2.0) + x.clone().powf_scalar(1.0) * x
    });
    against_differences("powf_scalar at 0", &traced, &[0.0; 4], 1e-3, 1e-9);
}

#[test]
fn hand_made_compositions() {
    let rows = |x: Tensor<1>| x.reshape([4, 6]);
    let table = table! {
        "swish" => |x| x.clone() / ((-x).exp() + 1.0),
        "logistic by tanh" => |x| ((x * 0.5).tanh() + 1.0) * 0.5,
        "gaussian" => |x| (-(x.clone() * x)).exp(),
        "rational" => |x| x.clone() / (x.powf_scalar(2.0) + 1.0),
        "snake" => |x| x.clone() + x.sin().powf_scalar(2.0),
        "log cosh" => |x| x.cosh().log(),
        "squareplus" => |x| (x.clone() + (x.powf_scalar(2.0) + 4.0).sqrt()) * 0.5,
        "soft clip" => |x| x.clone() / (x.powf_scalar(4.0) + 1.0).powf_scalar(0.25),
        "smooth abs" => |x| (x.powf_scalar(2.0) + 0.1).sqrt(),
        "gated tanh" => |x| { let [a, b] = halves(x); a.tanh() * act::sigmoid(b) },
        "swiglu" => |x| { let [a, b] = halves(x); act::silu(a) * b },
        "geglu" => |x| { let [a, b] = halves(x); act::gelu(a) * b },
        "bilinear unit" => |x| { let [a, b] = halves(x); a.clone() * b + a },
        "lstm step" => |x| {
            let x = x.reshape([4, 6]);
            let part = |k: usize| x.clone().slice([k..k + 1, 0..6]);
            let c = act::sigmoid(part(0)) * part(1) + act::sigmoid(part(2)) * part(1).tanh();
            (act::sigmoid(part(3)) * c.tanh()).reshape([6])
        },
        "rms norm" => move |x| {
            let x = rows(x);
            let scale = (x.clone().powf_scalar(2.0).mean_dim(1) + 1e-3).sqrt();
            (x / scale).reshape([24])
        },
        "standardized" => move |x| {
            let x = rows(x);
            let centered = x.clone() - x.mean_dim(0);
            let variance = centered.clone().powf_scalar(2.0).mean_dim(0);
            (centered / (variance + 1e-5).sqrt()).reshape([24])
        },
        "attention" => move |x| {
            let x = rows(x);
            let weights = act::softmax(x.clone().matmul(x.clone().transpose()), 1);
            weights.matmul(x).reshape([24])
        },
        "squeeze and excite" => move |x| {
            let x = rows(x);
            let gate = act::sigmoid(x.clone().mean_dim(1));
            (x * gate).reshape([24])
        },
        "log sum exp" => move |x| rows(x).exp().sum_dim(1).log().reshape([4]),
        "cosine similarity" => |x| {
            let [a, b] = halves(x);
            let norm = |x: Tensor<1>| (x.clone() * x).sum().sqrt();
            (a.clone() * b.clone()).sum() / (norm(a) * norm(b))
        },
        "residual with a fixed mask" => move |x| {
            let x = rows(x);
            let mask = Tensor::<2>::ones([6, 6], &x.device()).tril(0).slice([0..4, 0..6]);
            let hidden = mask.equal_elem(0.0);
            (x.clone().mask_fill(hidden, 0.0).exp() + x).reshape([24])
        },
        "outer product" => |x| {
            let [a, b] = halves(x);
            a.reshape([12, 1]).matmul(b.reshape([1, 12])).tanh().reshape([144])
        },
        "fourier features" => |x| Tensor::cat(vec![(x.clone() * 3.0).sin(), x.cos()], 0),
    };
    check(table, -1.4, 1.3);
}
