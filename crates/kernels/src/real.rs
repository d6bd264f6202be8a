//! The two float types.

use std::any::TypeId;

use burn::tensor::Element;
use faer::traits::RealField;

/// `f32` or `f64`.
pub(crate) trait Real:
    RealField
    + bytemuck::Pod
    + Element
    + std::ops::Add<Output = Self>
    + std::ops::AddAssign
    + std::ops::Mul<Output = Self>
    + std::ops::MulAssign
    + std::ops::Div<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Neg<Output = Self>
    + PartialOrd
{
    const ZERO: Self;
    const ONE: Self;

    fn exponential(self) -> Self;
    fn logarithm_1p(self) -> Self;
    fn hyperbolic_tangent(self) -> Self;

    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;

    fn from_real<S: Real>(value: S) -> Self {
        Self::from_f64(value.to_f64())
    }

    /// `values` as they are, if they are of this type.
    fn same<S: Real>(values: &[S]) -> Option<&[Self]> {
        (TypeId::of::<S>() == TypeId::of::<Self>()).then(|| bytemuck::cast_slice(values))
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn exponential(self) -> Self {
        self.exp()
    }

    fn logarithm_1p(self) -> Self {
        self.ln_1p()
    }

    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn exponential(self) -> Self {
        self.exp()
    }

    fn logarithm_1p(self) -> Self {
        self.ln_1p()
    }

    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }
}
