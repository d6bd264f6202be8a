//! `W = g ∘ σ″(z) ∘ c²` in one pass.

use burgeon_core::Activation;
use burgeon_core::backend::{curvature_weights as by_operations, rows_of_maps};
use burgeon_ops::elementwise::{logistic, magnitude, map};
use burgeon_ops::host::with_slice;
use burgeon_ops::real::Real;
use burgeon_ops::transpose::Transposition;
use burn::tensor::{DType, Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values that one task takes, about.
const CHUNK: usize = 1 << 14;

/// [`SplitBackend::curvature_weights`](burgeon_core::SplitBackend::curvature_weights) of
/// pre-activations `z` and gradients `[n, M]` and scales `[M]`; by Burn's operations for the
/// GELU and for other types than f32 and f64.
pub(crate) fn curvature_weights(
    activation: Activation,
    z: Tensor<2>,
    gradient: Tensor<2>,
    scale: Option<Tensor<1>>,
) -> Tensor<2> {
    let [rows, neurons] = z.dims();
    let shape = [rows, neurons, 1];
    match Curve::of(activation) {
        Some(curve) if z.dtype() == DType::F32 => {
            weights::<f32, 2>(curve, z, gradient, scale, shape)
        }
        Some(curve) if z.dtype() == DType::F64 => {
            weights::<f64, 2>(curve, z, gradient, scale, shape)
        }
        _ => by_operations(activation, z, gradient, scale),
    }
}

/// The same of maps `[b, M, h, w]`, as rows `[b·h·w, M]`.
pub(crate) fn curvature_weights_of_maps(
    activation: Activation,
    z: Tensor<4>,
    gradient: Tensor<4>,
    scale: Option<Tensor<1>>,
) -> Tensor<2> {
    let [samples, neurons, height, width] = z.dims();
    let plane = height * width;
    let shape = [samples, neurons, plane];
    match Curve::of(activation) {
        Some(curve) if z.dtype() == DType::F32 => {
            weights::<f32, 4>(curve, z, gradient, scale, shape)
        }
        Some(curve) if z.dtype() == DType::F64 => {
            weights::<f64, 4>(curve, z, gradient, scale, shape)
        }
        _ => by_operations(activation, rows_of_maps(z), rows_of_maps(gradient), scale),
    }
}

fn weights<T: Real, const D: usize>(
    curve: Curve,
    z: Tensor<D>,
    gradient: Tensor<D>,
    scale: Option<Tensor<1>>,
    [samples, neurons, plane]: [usize; 3],
) -> Tensor<2> {
    let (device, size) = (z.device(), neurons * plane);
    let squares = |scale: &[T]| scale.iter().map(|c| *c * *c).collect();
    let factors: Option<Vec<T>> = scale.map(|scale| with_slice(scale, squares));
    let mut values = vec![T::ZERO; samples * size];
    let chunk = ((CHUNK / size.max(1)).max(1) * size).max(1);
    with_slice(z, |z: &[T]| {
        with_slice(gradient, |gradient: &[T]| {
            let chunks = values.par_chunks_mut(chunk).zip(z.par_chunks(chunk));
            let chunks = chunks.zip(gradient.par_chunks(chunk));
            chunks.for_each(|((values, z), gradient)| {
                Arch::new().dispatch(Part {
                    curve,
                    neurons,
                    plane,
                    z,
                    gradient,
                    factors: factors.as_deref(),
                    values,
                });
            });
        });
    });
    let data = TensorData::new(values, [samples * plane, neurons]);
    Tensor::from_data(data, (&device, T::dtype()))
}

/// The weights of some samples.
struct Part<'a, T> {
    curve: Curve,
    neurons: usize,
    plane: usize,
    z: &'a [T],
    gradient: &'a [T],
    factors: Option<&'a [T]>,
    values: &'a mut [T],
}

impl<T: Real> WithSimd for Part<'_, T> {
    type Output = ();

    // Compiled for the widest vectors.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { neurons, plane, .. } = self;
        let size = neurons * plane;
        if plane == 1 {
            weigh(self.curve, self.z, self.gradient, self.values);
        } else {
            let (mut maps, at_rest) = (vec![T::ZERO; size], vec![T::ZERO; plane]);
            let samples = self.values.chunks_exact_mut(size);
            let maps_of = self
                .z
                .chunks_exact(size)
                .zip(self.gradient.chunks_exact(size));
            for (values, (z, gradient)) in samples.zip(maps_of) {
                weigh(self.curve, z, gradient, &mut maps);
                Transposition {
                    lines: neurons,
                    from: &maps,
                    from_stride: plane,
                    to: values,
                    to_stride: neurons,
                    constants: &at_rest,
                    adds: false,
                }
                .run(Arch::new());
            }
        }
        if let Some(factors) = self.factors {
            for line in self.values.chunks_exact_mut(neurons) {
                for (value, factor) in line.iter_mut().zip(factors) {
                    *value *= *factor;
                }
            }
        }
    }
}

#[inline(always)]
fn weigh<T: Real>(curve: Curve, z: &[T], gradient: &[T], to: &mut [T]) {
    curve.at(z, to);
    for (to, gradient) in to.iter_mut().zip(gradient) {
        *to *= *gradient;
    }
}

/// A second derivative with its constants.
#[derive(Clone, Copy)]
enum Curve {
    Softplus(f64),
    Tanh,
    Sigmoid,
    Silu,
    Rbf,
}

impl Curve {
    fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::Relu { beta } | Activation::Softplus { beta } => Self::Softplus(beta),
            Activation::Tanh => Self::Tanh,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Silu => Self::Silu,
            Activation::Rbf => Self::Rbf,
            _ => return None,
        })
    }

    /// `σ″(z)`.
    #[inline(always)]
    fn at<T: Real>(self, z: &[T], to: &mut [T]) {
        let two = T::from_f64(2.0);
        match self {
            Self::Softplus(beta) => {
                let beta = T::from_f64(beta);
                map(z, to, |z| beta * bell(beta * z));
            }
            Self::Tanh => map(z, to, |z| {
                let t = z.hyperbolic_tangent();
                -(two * t * (T::ONE - t * t))
            }),
            Self::Sigmoid => map(z, to, |z| bell(z) * (T::ONE - two * logistic(z))),
            Self::Silu => map(z, to, |z| {
                bell(z) * (two + z * (T::ONE - two * logistic(z)))
            }),
            Self::Rbf => map(z, to, |z| {
                let square = z * z;
                (square - T::ONE) * (-(T::from_f64(0.5) * square)).exponential()
            }),
        }
    }
}

/// The logistic function's slope `s (1 − s)`, by an exponential that cannot overflow.
#[inline(always)]
fn bell<T: Real>(z: T) -> T {
    let e = (-magnitude(z)).exponential();
    let sum = T::ONE + e;
    e / (sum * sum)
}
