//! Arithmetic of values and of jets.

use super::Jet;
use super::trail::Bend;
use crate::replay::Value;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, Scalar, TensorMetadata};
use burn::tensor::Shape;

pub(super) fn number(x: f64) -> Scalar {
    Scalar::Float(x)
}

pub(super) fn dims(value: &Value) -> Vec<usize> {
    value.shape().iter().copied().collect()
}

pub(super) fn mul(a: &Value, b: &Value) -> Value {
    Dispatch::float_mul(a.clone(), b.clone())
}

pub(super) fn sub(a: &Value, b: &Value) -> Value {
    Dispatch::float_sub(a.clone(), b.clone())
}

pub(super) fn square(a: &Value) -> Value {
    mul(a, a)
}

pub(super) fn times(a: &Value, x: f64) -> Value {
    Dispatch::float_mul_scalar(a.clone(), number(x))
}

pub(super) fn plus(a: &Value, x: f64) -> Value {
    Dispatch::float_add_scalar(a.clone(), number(x))
}

/// `1 - a`.
pub(super) fn one_minus(a: &Value) -> Value {
    plus(&times(a, -1.0), 1.0)
}

pub(super) fn recip(a: &Value) -> Value {
    Dispatch::float_recip(a.clone())
}

pub(super) fn power_of(a: &Value, exponent: f64) -> Value {
    Dispatch::float_powf_scalar(a.clone(), number(exponent))
}

/// Zeros of the shape, type and device of an untracked value.
pub(super) fn zeros_like(value: &Value) -> Value {
    Dispatch::float_zeros(value.shape(), &value.device(), value.dtype().into())
}

/// The sum of the terms that there are.
pub(super) fn sum(terms: impl IntoIterator<Item = Option<Value>>) -> Option<Value> {
    terms.into_iter().flatten().reduce(Dispatch::float_add)
}

/// `part` in the shape of `value`: a part of an operand that was broadcast.
pub(super) fn spread(part: Option<Value>, value: &Value) -> Option<Value> {
    part.map(|part| {
        if part.shape() == value.shape() {
            part
        } else {
            Dispatch::float_expand(part, value.shape())
        }
    })
}

/// A vector `[d]` along `axis` of a tensor of `rank` axes, of length 1 along the others.
pub(super) fn along(vector: &Value, axis: usize, rank: usize) -> Value {
    let mut shape = vec![1; rank];
    shape[axis] = vector.shape().num_elements();
    Dispatch::float_reshape(vector.clone(), Shape::from(shape))
}

/// `y = f(u)`, with `f′` and `f″` at `u` (`None`: zero).
pub(super) fn chain(u: &Jet, value: Value, slope: Value, curvature: Option<Value>) -> Jet {
    let bent = curvature
        .zip(u.first.as_ref())
        .map(|(curvature, first)| mul(&curvature, &square(first)));
    let mut jet = Jet::new(
        value,
        u.first.as_ref().map(|first| mul(&slope, first)),
        sum([bent, u.second.as_ref().map(|second| mul(&slope, second))]),
    );
    jet.past.bend = u.past.bend.as_ref().map(|bend| Bend {
        mask: bend.mask,
        part: mul(&slope, &bend.part),
    });
    jet
}

/// The derivatives of `a · b` (with broadcast).
pub(super) fn product_parts(a: &Jet, b: &Jet) -> (Option<Value>, Option<Value>) {
    let scaled = |part: &Option<Value>, by: &Value| part.as_ref().map(|part| mul(part, by));
    let cross = match (&a.first, &b.first) {
        (Some(a), Some(b)) => Some(times(&mul(a, b), 2.0)),
        _ => None,
    };
    (
        sum([scaled(&a.first, &b.value), scaled(&b.first, &a.value)]),
        sum([
            scaled(&a.second, &b.value),
            scaled(&b.second, &a.value),
            cross,
        ]),
    )
}

pub(super) fn product(a: &Jet, b: &Jet) -> Jet {
    let (first, second) = product_parts(a, b);
    Jet::new(mul(&a.value, &b.value), first, second)
}

/// `a + sign · b`, where the value is known.
pub(super) fn sum_of(a: &Jet, b: &Jet, sign: f64, value: Value) -> Jet {
    let both = |a: &Option<Value>, b: &Option<Value>| {
        let b = b.as_ref().map(|b| match sign {
            1.0 => b.clone(),
            _ => times(b, sign),
        });
        spread(sum([a.clone(), b]), &value)
    };
    let (first, second) = (both(&a.first, &b.first), both(&a.second, &b.second));
    Jet::new(value, first, second)
}

pub(super) fn reciprocal(u: &Jet) -> Jet {
    let r = recip(&u.value);
    let r2 = square(&r);
    let curvature = times(&mul(&r2, &r), 2.0);
    chain(u, r, times(&r2, -1.0), Some(curvature))
}

/// `u^exponent`, where the value is known.
pub(super) fn power(u: &Jet, exponent: f64, value: Value) -> Jet {
    if exponent == 0.0 {
        return Jet::still(value);
    }
    let slope = times(&power_of(&u.value, exponent - 1.0), exponent);
    // without it `0^-1 · 0` would be no number
    let curvature = (exponent != 1.0).then(|| {
        times(
            &power_of(&u.value, exponent - 2.0),
            exponent * (exponent - 1.0),
        )
    });
    chain(u, value, slope, curvature)
}

/// Every part through a linear map.
pub(super) fn map(u: &Jet, value: Value, linear: impl Fn(Value) -> Value) -> Jet {
    Jet::new(
        value,
        u.first.clone().map(&linear),
        u.second.clone().map(&linear),
    )
}
