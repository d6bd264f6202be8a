//! Piecewise smooth functions: the true derivatives beside each kink, and a surrogate for the
//! curvature that the kink itself has.

use super::algebra::{chain, map, mul, number, one_minus, plus, product, sum, sum_of, times};
use super::pointwise::{half_tanh, sigmoid_slope};
use super::{Jet, Step};
use crate::replay::{Unsupported, Value};
use burn::backend::Dispatch;
use burn::backend::ir::{
    ActivationOperationIr, BinaryOpIr, NumericOperationIr, ScalarIr, TensorIr,
};
use burn::backend::ops::FloatTensorOps;

/// Width of the surrogate: the derivative of a kink's slope, a delta, becomes that of
/// `sigmoid(β z)`.
pub(super) const BETA: f64 = 3.0;

/// `β s (1 - s)` with `s = sigmoid(β z)`: what a slope that grows by 1 at `z = 0` has of curvature.
pub(super) fn kink(z: &Value) -> Value {
    times(&sigmoid_slope(&half_tanh(&times(z, BETA))), BETA)
}

/// 1 where `z > 0`, else 0.
fn above(z: &Value) -> Value {
    Dispatch::float_clamp_min(Dispatch::float_sign(z.clone()), number(0.0))
}

/// 1 where `z >= 0`, else 0.
fn not_below(z: &Value) -> Value {
    let sign = Dispatch::float_sign(z.clone());
    plus(&Dispatch::float_clamp_max(sign, number(0.0)), 1.0)
}

/// `None`: another kind of operation.
pub(super) fn arithmetic(
    step: &Step,
    operation: &NumericOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use NumericOperationIr as Numeric;
    let at = |bound: &ScalarIr| bound.elem::<f64>();
    Some(match operation {
        Numeric::Abs(o) => bent(step, &o.input, |u| {
            (Dispatch::float_sign(u.clone()), times(&kink(u), 2.0))
        }),
        Numeric::ClampMin(o) => bent(step, &o.lhs, |u| {
            let z = plus(u, -at(&o.rhs));
            (above(&z), kink(&z))
        }),
        Numeric::ClampMax(o) => bent(step, &o.lhs, |u| {
            let z = plus(u, -at(&o.rhs));
            (one_minus(&not_below(&z)), times(&kink(&z), -1.0))
        }),
        Numeric::Clamp(o) => bent(step, &o.tensor, |u| clamped(u, at(&o.min), at(&o.max))),
        // flat on both sides, and its jump is not seen: `x · sign(x)` has not the kink of `abs`
        Numeric::Sign(_) => step.value().map(Jet::still),
        _ => return None,
    })
}

/// `None`: another kind of operation.
pub(super) fn activation(
    step: &Step,
    operation: &ActivationOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use ActivationOperationIr as Activation;
    Some(match operation {
        Activation::Relu(o) => bent(step, &o.input, |u| (above(u), kink(u))),
        Activation::LeakyRelu(o) => {
            let lost = 1.0 - o.rhs.elem::<f64>();
            bent(step, &o.lhs, |u| {
                let slope = plus(&times(&not_below(u), lost), 1.0 - lost);
                (slope, times(&kink(u), lost))
            })
        }
        Activation::HardSigmoid(o) => {
            let (alpha, beta) = (o.alpha.elem::<f64>(), o.beta.elem::<f64>());
            bent(step, &o.tensor, |u| {
                let (slope, curvature) = clamped(&plus(&times(u, alpha), beta), 0.0, 1.0);
                (times(&slope, alpha), times(&curvature, alpha * alpha))
            })
        }
        Activation::PRelu(o) => prelu(step, o),
        _ => return None,
    })
}

/// A function of one tensor whose slope and surrogate curvature are given.
fn bent(
    step: &Step,
    x: &TensorIr,
    slopes: impl Fn(&Value) -> (Value, Value),
) -> Result<Jet, Unsupported> {
    let u = step.read(x);
    let (slope, curvature) = slopes(&u.value);
    Ok(chain(&u, step.value()?, slope, Some(curvature)))
}

/// Slope and curvature of `clamp(u, min, max)`.
fn clamped(u: &Value, min: f64, max: f64) -> (Value, Value) {
    let (low, high) = (plus(u, -min), plus(u, -max));
    let difference = |low: Value, high: Value| Dispatch::float_sub(low, high);
    (
        difference(above(&low), not_below(&high)),
        difference(kink(&low), kink(&high)),
    )
}

/// `max(x, 0) + slope · min(x, 0)`, where the slope may move too.
fn prelu(step: &Step, o: &BinaryOpIr) -> Result<Jet, Unsupported> {
    let (x, slope) = (step.read(&o.lhs), step.read(&o.rhs));
    let positive = not_below(&x.value);
    let bend = x
        .first
        .as_ref()
        .map(|first| mul(&kink(&x.value), &mul(first, first)));
    let side = |side: &Value, sign: f64| {
        let mut jet = map(&x, mul(&x.value, side), |part| mul(&part, side));
        let bend = bend.as_ref().map(|bend| times(bend, sign));
        jet.second = sum([jet.second, bend]);
        jet
    };
    let negative = product(&side(&one_minus(&positive), -1.0), &slope);
    Ok(sum_of(&side(&positive, 1.0), &negative, 1.0, step.value()?))
}
