//! The two float types.

use std::any::TypeId;

use burn::tensor::Element;

/// `f32` or `f64`.
pub trait Real:
    bytemuck::Pod
    + Element
    + std::ops::Add<Output = Self>
    + std::ops::AddAssign
    + std::ops::Mul<Output = Self>
    + std::ops::MulAssign
    + std::ops::Div<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::SubAssign
    + std::ops::Neg<Output = Self>
    + PartialOrd
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// `eˣ`; in f32 finite for every number, so that loops of it become vectors.
    fn exponential(self) -> Self;
    /// `ln(1 + x)`.
    fn logarithm_1p(self) -> Self;
    /// `tanh x`.
    fn hyperbolic_tangent(self) -> Self;

    /// The nearest to `value`.
    fn from_f64(value: f64) -> Self;
    /// In f64, exactly.
    fn to_f64(self) -> f64;

    /// The nearest to `value`.
    #[inline(always)]
    fn from_real<S: Real>(value: S) -> Self {
        Self::from_f64(value.to_f64())
    }

    /// `values` as they are, if they are of this type.
    #[inline(always)]
    fn same<S: Real>(values: &[S]) -> Option<&[Self]> {
        (TypeId::of::<S>() == TypeId::of::<Self>()).then(|| bytemuck::cast_slice(values))
    }

    /// As [`same`](Self::same), to be written.
    #[inline(always)]
    fn same_mut<S: Real>(values: &mut [S]) -> Option<&mut [Self]> {
        (TypeId::of::<S>() == TypeId::of::<Self>()).then(|| bytemuck::cast_slice_mut(values))
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn exponential(self) -> Self {
        exponential(self)
    }

    #[inline(always)]
    fn logarithm_1p(self) -> Self {
        self.ln_1p()
    }

    #[inline(always)]
    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn exponential(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn logarithm_1p(self) -> Self {
        self.ln_1p()
    }

    #[inline(always)]
    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

/// `eˣ` within two units in the last place, without branches or calls, so that loops of it
/// become vectors; 1.2e-38 below −87.3 and 2.4e38 above 88.4. The constants are those of Cephes
/// (Moshier, `expf`).
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "as they are published")]
fn exponential(x: f32) -> f32 {
    /// Added and taken away again, it leaves the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    const LARGEST: f32 = 88.37;
    const SMALLEST: f32 = -87.33;
    let x = if x > LARGEST { LARGEST } else { x };
    let x = if x < SMALLEST { SMALLEST } else { x };
    // x = n ln 2 + r, with ln 2 in two parts.
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_375 - n * -2.121_944_40e-4;
    let mut sum = 1.987_569_150_0e-4;
    for coefficient in [
        1.398_199_950_7e-3,
        8.333_451_907_3e-3,
        4.166_579_589_4e-2,
        1.666_666_545_9e-1,
        5.000_000_120_1e-1,
    ] {
        sum = sum * r + coefficient;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (sum * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_exponential_is_that_of_the_library(x in -87.3_f32..88.3) {
            let exact = f64::from(x).exp();
            let off = (f64::from(x.exponential()) - exact).abs() / exact;
            prop_assert!(off <= 2.4e-7, "{x}: off by {off}");
        }
    }

    #[test]
    fn the_exponential_ends_without_infinities_and_keeps_what_is_not_a_number() {
        assert_eq!(0.0_f32.exponential(), 1.0);
        assert!(f32::NEG_INFINITY.exponential() < 1.3e-38);
        assert!(f32::INFINITY.exponential() > 2e38);
        assert!(f32::INFINITY.exponential().is_finite());
        assert!(f32::NAN.exponential().is_nan());
    }
}
