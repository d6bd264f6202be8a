//! Loops over the values of slices.

use crate::real::Real;

/// Writes `function` of each value of `from` to `to`.
#[inline(always)]
pub fn map<T: Real>(from: &[T], to: &mut [T], function: impl Fn(T) -> T) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = function(*from);
    }
}

/// `|z|`.
#[inline(always)]
pub fn magnitude<T: Real>(z: T) -> T {
    if z < T::ZERO { -z } else { z }
}

/// The logistic function, by an exponential that cannot overflow.
#[inline(always)]
pub fn logistic<T: Real>(z: T) -> T {
    let e = (-magnitude(z)).exponential();
    let numerator = if z < T::ZERO { e } else { T::ONE };
    numerator / (T::ONE + e)
}

/// The sum of vectors of one length, in their order.
pub fn sum<T: Real>(vectors: Vec<Vec<T>>) -> Vec<T> {
    let mut vectors = vectors.into_iter();
    let mut total = vectors.next().unwrap_or_default();
    for vector in vectors {
        for (to, from) in total.iter_mut().zip(vector) {
            *to += from;
        }
    }
    total
}
