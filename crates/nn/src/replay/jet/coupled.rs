//! Smooth operations in which every element of an axis reads all of them.

use super::algebra::{
    along, dims, map, mul, number, power, product, spread, square, sub, sum, sum_of, times,
};
use super::{Jet, Step};
use crate::replay::{Unsupported, Value};
use burn::backend::Dispatch;
use burn::backend::ir::{ActivationOperationIr, DimOpIr, LayerNormOpIr};
use burn::backend::ops::FloatTensorOps;

/// `None`: another kind of operation.
pub(super) fn activation(
    step: &Step,
    operation: &ActivationOperationIr,
) -> Option<Result<Jet, Unsupported>> {
    use ActivationOperationIr as Activation;
    Some(match operation {
        Activation::Softmax(o) => softmax(step, o, 1.0),
        Activation::Softmin(o) => softmax(step, o, -1.0),
        Activation::LogSoftmax(o) => log_softmax(step, o),
        _ => return None,
    })
}

/// The derivatives of `log softmax(u)` where the probabilities are `p`: with `c = u′ - Σ p u′`,
/// `c` and `u″ - Σ p u″ - Σ p c²`.
fn log_parts(u: &Jet, p: &Value, axis: usize) -> (Option<Value>, Option<Value>) {
    let mean = |part: &Value| Dispatch::float_sum_dim(mul(p, part), axis);
    let first = u.first.as_ref().map(|part| sub(part, &mean(part)));
    let moved = u.second.as_ref().map(|part| sub(part, &mean(part)));
    let second = match (&first, moved) {
        (Some(c), Some(moved)) => Some(sub(&moved, &mean(&square(c)))),
        (Some(c), None) => {
            // in the output's shape
            let variance = times(&mean(&square(c)), -1.0);
            spread(Some(variance), c)
        }
        (None, moved) => moved,
    };
    (first, second)
}

fn log_softmax(step: &Step, o: &DimOpIr) -> Result<Jet, Unsupported> {
    let (u, value) = (step.read(&o.input), step.value()?);
    let p = Dispatch::float_exp(value.clone());
    let (first, second) = log_parts(&u, &p, o.axis);
    Ok(Jet::new(value, first, second))
}

/// `softmax(sign · u)`: with `l = log p`, `p′ = p l′` and `p″ = p (l″ + l′²)`.
fn softmax(step: &Step, o: &DimOpIr, sign: f64) -> Result<Jet, Unsupported> {
    let (u, p) = (step.read(&o.input), step.value()?);
    let u = map(&u, u.value.clone(), |part| times(&part, sign));
    let (first, second) = log_parts(&u, &p, o.axis);
    let second = sum([second, first.as_ref().map(square)]);
    let by = |part: Option<Value>| part.map(|part| mul(&p, &part));
    let (first, second) = (by(first), by(second));
    Ok(Jet::new(p, first, second))
}

/// `γ (x - mean) / √(var + ε) + β` over the last axis.
pub(super) fn layer_norm(step: &Step, o: &LayerNormOpIr) -> Result<Jet, Unsupported> {
    let x = step.read(&o.input);
    let rank = dims(&x.value).len();
    let last = rank - 1;
    let mean = |u: &Jet| {
        let mean = |part| Dispatch::float_mean_dim(part, last);
        map(u, mean(u.value.clone()), mean)
    };
    let middle = mean(&x);
    let centered = sum_of(&x, &middle, -1.0, sub(&x.value, &middle.value));
    let mut variance = mean(&product(&centered, &centered));
    variance.value = Dispatch::float_add_scalar(variance.value, number(o.epsilon.elem()));
    let inverse = Dispatch::float_recip(Dispatch::float_sqrt(variance.value.clone()));
    let normal = product(&centered, &power(&variance, -0.5, inverse));
    let features = |jet: &Jet| {
        let at = |part| along(&part, last, rank);
        map(jet, at(jet.value.clone()), at)
    };
    let mut out = product(&normal, &features(&step.read(&o.gamma)));
    out.value = step.value()?;
    Ok(match &o.beta {
        Some(beta) => sum_of(&out, &features(&step.read(beta)), 1.0, out.value.clone()),
        None => out,
    })
}
