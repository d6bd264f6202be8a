//! Smooth pointwise functions: their first and second derivatives.

use super::algebra::{
    chain, map, mul, one_minus, plus, power, power_of, product, recip, reciprocal, spread, square,
    sub, sum, sum_of, times,
};
use super::{Jet, Step};
use crate::replay::{Unsupported, Value};
use burn::backend::Dispatch;
use burn::backend::ir::{
    ActivationOperationIr, BinaryOpIr, FloatOperationIr, NumericOperationIr, TensorIr,
};
use burn::backend::ops::FloatTensorOps;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// Arithmetic that is smooth. `None`: another kind of operation.
pub(super) fn arithmetic(
    step: &Step,
    operation: &NumericOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use NumericOperationIr as Numeric;
    let shifted = |x: &TensorIr| {
        let mut jet = step.read(x);
        jet.value = step.value()?;
        Ok(jet)
    };
    let scaled = |x: &TensorIr, slope: f64| {
        let u = step.read(x);
        let mut jet = map(&u, step.value()?, |part| times(&part, slope));
        jet.past.bend = u.past.bend.map(|mut bend| {
            bend.part = times(&bend.part, slope);
            bend
        });
        Ok(jet)
    };
    let added = |o: &BinaryOpIr, sign: f64| {
        let (a, b) = (step.read(&o.lhs), step.read(&o.rhs));
        Ok(sum_of(&a, &b, sign, step.value()?))
    };
    Some(match operation {
        Numeric::Add(o) => added(o, 1.0),
        Numeric::Sub(o) => added(o, -1.0),
        Numeric::Mul(o) => Ok(product(&step.read(&o.lhs), &step.read(&o.rhs))),
        Numeric::Div(o) => quotient(step, o),
        Numeric::AddScalar(o) | Numeric::SubScalar(o) => shifted(&o.lhs),
        Numeric::MulScalar(o) => scaled(&o.lhs, o.rhs.elem()),
        Numeric::DivScalar(o) => scaled(&o.lhs, 1.0 / o.rhs.elem::<f64>()),
        Numeric::Neg(o) => scaled(&o.input, -1.0),
        Numeric::PowiScalar(o) => step
            .value()
            .map(|value| power(&step.read(&o.lhs), o.rhs.elem(), value)),
        _ => return None,
    })
}

fn quotient(step: &Step, o: &BinaryOpIr) -> Result<Jet, Unsupported> {
    let (a, b) = (step.read(&o.lhs), step.read(&o.rhs));
    let mut jet = product(&a, &reciprocal(&b));
    // a quotient rounds otherwise than a product by the reciprocal
    jet.value = step.value()?;
    Ok(jet)
}

/// `f′` and `f″` (`None`: zero) at `u`, with `v = f(u)`.
type Slopes = (Value, Option<Value>);

pub(super) fn float(step: &Step, operation: &FloatOperationIr) -> Result<Jet, Unsupported> {
    use FloatOperationIr as Float;
    let smooth = |x: &TensorIr, slopes: &dyn Fn(&Value, &Value) -> Slopes| {
        let (u, value) = (step.read(x), step.value()?);
        let (slope, curvature) = slopes(&u.value, &value);
        Ok(chain(&u, value, slope, curvature))
    };
    // f′ = (a + b u²)^exponent
    let algebraic = |x: &TensorIr, a: f64, b: f64, exponent: f64| {
        smooth(x, &|u, _| {
            let inner = plus(&times(&square(u), b), a);
            let slope = power_of(&inner, exponent);
            let steep = times(&power_of(&inner, exponent - 1.0), 2.0 * b * exponent);
            (slope, Some(mul(&steep, u)))
        })
    };
    match operation {
        Float::Exp(o) => smooth(&o.input, &|_, v| (v.clone(), Some(v.clone()))),
        Float::Log(o) => smooth(&o.input, &|u, _| logarithmic(u)),
        Float::Log1p(o) => smooth(&o.input, &|u, _| logarithmic(&plus(u, 1.0))),
        Float::Erf(o) => smooth(&o.input, &|u, _| {
            let slope = times(
                &Dispatch::float_exp(times(&square(u), -1.0)),
                FRAC_2_SQRT_PI,
            );
            let curvature = times(&mul(u, &slope), -2.0);
            (slope, Some(curvature))
        }),
        Float::Sqrt(o) => step
            .value()
            .map(|value| power(&step.read(&o.input), 0.5, value)),
        Float::Recip(o) => Ok(reciprocal(&step.read(&o.input))),
        Float::PowfScalar(o) => step
            .value()
            .map(|value| power(&step.read(&o.lhs), o.rhs.elem(), value)),
        Float::Powf(o) => powers(step, o),
        Float::Tanh(o) => smooth(&o.input, &|_, v| {
            let slope = one_minus(&square(v));
            let curvature = times(&mul(v, &slope), -2.0);
            (slope, Some(curvature))
        }),
        Float::Sin(o) => smooth(&o.input, &|u, v| {
            (Dispatch::float_cos(u.clone()), Some(times(v, -1.0)))
        }),
        Float::Cos(o) => smooth(&o.input, &|u, v| {
            let slope = times(&Dispatch::float_sin(u.clone()), -1.0);
            (slope, Some(times(v, -1.0)))
        }),
        Float::Tan(o) => smooth(&o.input, &|_, v| {
            let slope = plus(&square(v), 1.0);
            let curvature = times(&mul(v, &slope), 2.0);
            (slope, Some(curvature))
        }),
        Float::Sinh(o) => smooth(&o.input, &|u, v| {
            (Dispatch::float_cosh(u.clone()), Some(v.clone()))
        }),
        Float::Cosh(o) => smooth(&o.input, &|u, v| {
            (Dispatch::float_sinh(u.clone()), Some(v.clone()))
        }),
        Float::ArcSin(o) => algebraic(&o.input, 1.0, -1.0, -0.5),
        Float::ArcCos(o) => smooth(&o.input, &|u, _| {
            let inner = one_minus(&square(u));
            let curvature = times(&mul(&power_of(&inner, -1.5), u), -1.0);
            (times(&power_of(&inner, -0.5), -1.0), Some(curvature))
        }),
        Float::ArcTan(o) => algebraic(&o.input, 1.0, 1.0, -1.0),
        Float::ArcSinh(o) => algebraic(&o.input, 1.0, 1.0, -0.5),
        Float::ArcCosh(o) => algebraic(&o.input, -1.0, 1.0, -0.5),
        Float::ArcTanh(o) => algebraic(&o.input, 1.0, -1.0, -1.0),
        Float::ArcTan2(o) => angle(step, o),
        Float::Hypot(o) => hypotenuse(step, o),
        Float::Matmul(o) => super::linear::matmul(step, o),
        Float::Cross(o) => super::linear::cross(step, o),
        _ => Err(step.unsupported()),
    }
}

/// Activations that are smooth. `None`: another kind of operation.
pub(super) fn activation(
    step: &Step,
    operation: &ActivationOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use ActivationOperationIr as Activation;
    let smooth = |x: &TensorIr, slopes: &dyn Fn(&Value) -> Slopes| {
        let (u, value) = (step.read(x), step.value()?);
        let (slope, curvature) = slopes(&u.value);
        Ok(chain(&u, value, slope, curvature))
    };
    Some(match operation {
        Activation::Sigmoid(o) => smooth(&o.input, &|u| {
            let t = half_tanh(u);
            let slope = sigmoid_slope(&t);
            let curvature = times(&mul(&slope, &t), -1.0);
            (slope, Some(curvature))
        }),
        Activation::LogSigmoid(o) => smooth(&o.input, &|u| {
            let t = half_tanh(u);
            let curvature = times(&sigmoid_slope(&t), -1.0);
            (times(&one_minus(&t), 0.5), Some(curvature))
        }),
        Activation::Gelu(o) => smooth(&o.input, &|u| {
            let density = Dispatch::float_exp(times(&square(u), -0.5));
            let density = times(&density, 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            let erf = Dispatch::float_erf(times(u, FRAC_1_SQRT_2));
            let below = times(&plus(&erf, 1.0), 0.5);
            let slope = Dispatch::float_add(below, mul(u, &density));
            let curvature = mul(&density, &plus(&times(&square(u), -1.0), 2.0));
            (slope, Some(curvature))
        }),
        _ => return None,
    })
}

/// `tanh(u / 2)`, so that `sigmoid(u) = (1 + t) / 2`. Some backends compute `sigmoid` in f32
/// whatever the type; `tanh` is always in the type's own precision.
pub(super) fn half_tanh(u: &Value) -> Value {
    Dispatch::float_tanh(times(u, 0.5))
}

/// `s (1 - s)` for `s = sigmoid(u)`, from `tanh(u / 2)`.
pub(super) fn sigmoid_slope(half_tanh: &Value) -> Value {
    times(&one_minus(&square(half_tanh)), 0.25)
}

fn logarithmic(u: &Value) -> Slopes {
    let slope = recip(u);
    let curvature = times(&square(&slope), -1.0);
    (slope, Some(curvature))
}

/// `u^p` with a tensor of exponents that stand still.
fn powers(step: &Step, o: &BinaryOpIr) -> Result<Jet, Unsupported> {
    let (u, p) = (step.read(&o.lhs), step.read(&o.rhs));
    if p.moves() {
        return Err(step.refuse("Powf by exponents that depend on the split neuron's own value"));
    }
    // where the factor is 0 the power need only be finite: `0 · 0^-1` must not be taken
    let raised = |factor: Value, less: f64| {
        let unless = Dispatch::float_abs(Dispatch::float_sign(factor.clone()));
        let exponent = sub(&p.value, &times(&unless, less));
        mul(&factor, &Dispatch::float_powf(u.value.clone(), exponent))
    };
    let slope = raised(p.value.clone(), 1.0);
    let curvature = raised(mul(&p.value, &plus(&p.value, -1.0)), 2.0);
    let value = step.value()?;
    let mut jet = chain(&u, value, slope, Some(curvature));
    jet.first = spread(jet.first, &jet.value);
    jet.second = spread(jet.second, &jet.value);
    Ok(jet)
}

fn scaled(part: &Option<Value>, by: &Value) -> Option<Value> {
    part.as_ref().map(|part| mul(part, by))
}

fn negated(part: Option<Value>) -> Option<Value> {
    part.map(|part| times(&part, -1.0))
}

/// `atan2(y, x)`: with `n = x y′ - y x′` and `d = x² + y²`, `a′ = n / d` and `a″ = (n′ - a′ d′) / d`.
fn angle(step: &Step, o: &BinaryOpIr) -> Result<Jet, Unsupported> {
    let (y, x) = (step.read(&o.lhs), step.read(&o.rhs));
    let inverse = recip(&Dispatch::float_add(square(&x.value), square(&y.value)));
    let turn = |dy: &Option<Value>, dx: &Option<Value>| {
        sum([scaled(dy, &x.value), negated(scaled(dx, &y.value))])
    };
    let first = turn(&y.first, &x.first).map(|n| mul(&n, &inverse));
    let growth = sum([scaled(&x.first, &x.value), scaled(&y.first, &y.value)]);
    let lost = match (&first, growth) {
        (Some(first), Some(half)) => Some(times(&mul(first, &half), -2.0)),
        _ => None,
    };
    let second = sum([turn(&y.second, &x.second), lost]).map(|n| mul(&n, &inverse));
    Ok(Jet::new(step.value()?, first, second))
}

/// `h = √(a² + b²)`: `h h′ = a a′ + b b′` and `h h″ = a′² + a a″ + b′² + b b″ - h′²`.
fn hypotenuse(step: &Step, o: &BinaryOpIr) -> Result<Jet, Unsupported> {
    let (a, b) = (step.read(&o.lhs), step.read(&o.rhs));
    let value = step.value()?;
    let inverse = recip(&value);
    let first = sum([scaled(&a.first, &a.value), scaled(&b.first, &b.value)])
        .map(|part| mul(&part, &inverse));
    let squared = |part: &Option<Value>| part.as_ref().map(square);
    let second = sum([
        squared(&a.first),
        squared(&b.first),
        scaled(&a.second, &a.value),
        scaled(&b.second, &b.value),
        negated(squared(&first)),
    ])
    .map(|part| mul(&part, &inverse));
    Ok(Jet::new(value, first, second))
}
