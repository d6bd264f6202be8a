//! The two float types in vectors, of the width that the processor has.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use crate::real::Real;

/// A float type with its vectors.
pub trait Lanes: Real {
    /// As many values as a register holds.
    type Vector<S: Simd>: Copy;

    /// Values in a vector.
    fn lanes<S: Simd>() -> usize;

    /// The vectors of `values`; what does not fill one is left out.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];

    /// As [`vectors`](Self::vectors), to be written.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];

    /// The vector of `value` everywhere.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// `a·b + c`.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The sum of a vector's values.
    fn reduce<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;
}

/// Values of `T` in a vector of `arch`.
pub fn lanes_of<T: Lanes>(arch: Arch) -> usize {
    struct Count<T>(PhantomData<T>);
    impl<T: Lanes> WithSimd for Count<T> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            T::lanes::<S>()
        }
    }
    arch.dispatch(Count::<T>(PhantomData))
}

macro_rules! lanes {
    ($type:ty, $vector:ident, $lanes:ident, $as:ident, $as_mut:ident, $splat:ident, $fma:ident, $sum:ident) => {
        impl Lanes for $type {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$as(values).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$as_mut(values).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$fma(a, b, c)
            }

            #[inline(always)]
            fn reduce<S: Simd>(simd: S, vector: S::$vector) -> Self {
                simd.$sum(vector)
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_e_f32s,
    reduce_sum_f32s
);
lanes!(
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_e_f64s,
    reduce_sum_f64s
);

/// All vector units of this processor, not only the widest.
pub fn vector_units() -> Vec<Arch> {
    let mut units = vec![Arch::new()];
    #[cfg(target_arch = "x86_64")]
    units.extend(pulp::x86::V3::try_new().map(Arch::V3));
    units
}
