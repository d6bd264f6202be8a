//! Activations as one operation on Burn's tensors, with their gradient.
//!
//! Composed of Burn's own operations an activation such as `z·sigmoid(z)` takes several passes
//! on one thread, each kept for the backward pass; here it is one pass on all threads.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::{DType, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use crate::activation::Activation;
use crate::elementwise::{logistic, magnitude, map};
use crate::host::{Host, is_host};
use crate::real::Real;

/// Values that one task takes.
const CHUNK: usize = 1 << 14;

/// `σ(z)`, as [`Activation::value`]: on Burn's CPU devices, in f32 and f64, by one pass of this
/// crate, gradient included; everywhere else, and for the GELU, by Burn's operations.
pub fn activate<const D: usize>(activation: Activation, z: Tensor<D>) -> Tensor<D> {
    let ours = matches!(z.dtype(), DType::F32 | DType::F64)
        && is_host(&z.device())
        && Function::of(activation).is_some();
    if !ours {
        return activation.value(z);
    }
    Tensor::from_dispatch(Dispatch::activation(z.into_dispatch(), activation))
}

/// An activation with its constants.
#[derive(Clone, Copy)]
pub(crate) enum Function {
    Relu,
    Softplus(f64),
    Tanh,
    Sigmoid,
    Silu,
    Rbf,
}

impl Function {
    pub(crate) fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::Relu { .. } => Self::Relu,
            Activation::Softplus { beta } => Self::Softplus(beta),
            Activation::Tanh => Self::Tanh,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Silu => Self::Silu,
            Activation::Rbf => Self::Rbf,
            _ => return None,
        })
    }

    #[inline(always)]
    pub(crate) fn value<T: Real>(self, z: &[T], out: &mut [T]) {
        let half = T::from_f64(0.5);
        match self {
            Self::Relu => map(z, out, |z| if z > T::ZERO { z } else { T::ZERO }),
            Self::Softplus(beta) => {
                let beta = T::from_f64(beta);
                map(z, out, |z| {
                    let z = beta * z;
                    let tail = (-magnitude(z)).exponential().logarithm_1p();
                    (if z > T::ZERO { z + tail } else { tail }) / beta
                });
            }
            Self::Tanh => map(z, out, T::hyperbolic_tangent),
            Self::Sigmoid => map(z, out, logistic),
            Self::Silu => map(z, out, |z| z * logistic(z)),
            Self::Rbf => map(z, out, |z| (-(half * z * z)).exponential()),
        }
    }

    #[inline(always)]
    fn derivative<T: Real>(self, z: &[T], out: &mut [T]) {
        let half = T::from_f64(0.5);
        match self {
            Self::Relu => map(z, out, |z| if z > T::ZERO { T::ONE } else { T::ZERO }),
            Self::Softplus(beta) => {
                let beta = T::from_f64(beta);
                map(z, out, |z| logistic(beta * z));
            }
            Self::Tanh => map(z, out, |z| {
                let t = z.hyperbolic_tangent();
                T::ONE - t * t
            }),
            Self::Sigmoid => map(z, out, |z| {
                let s = logistic(z);
                s * (T::ONE - s)
            }),
            Self::Silu => map(z, out, |z| {
                let s = logistic(z);
                s + z * s * (T::ONE - s)
            }),
            Self::Rbf => map(z, out, |z| -(z * (-(half * z * z)).exponential())),
        }
    }
}

/// The activation on each backend; called through [`activate`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait ActivationOp: Backend {
    fn activation(z: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;
}

impl ActivationOp for Flex {
    fn activation(z: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        forward::<Self>(z, activation)
    }
}

impl ActivationOp for NdArray {
    fn activation(z: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        forward::<Self>(z, activation)
    }
}

impl<B: Host + ActivationOp, C: CheckpointStrategy> ActivationOp for Autodiff<B, C> {
    fn activation(z: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let output = B::activation(z.primitive().clone(), activation);
        match Slope.prepare::<C>([z.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = prepared.checkpoint(&z);
                prepared.finish((kept, activation), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Slope;

impl<B: Host> Backward<B, 1> for Slope {
    type State = (NodeId, Activation);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [parent] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let (kept, activation) = ops.state;
        let z = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept);
        if let Some(parent) = parent {
            let result = match z.dtype() {
                DType::F64 => backward::<B, f64>(z, gradient, activation),
                _ => backward::<B, f32>(z, gradient, activation),
            };
            gradients.register::<B>(parent.id, result);
        }
    }
}

fn forward<B: Host>(z: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    match z.dtype() {
        DType::F64 => values::<B, f64>(z, activation),
        _ => values::<B, f32>(z, activation),
    }
}

fn values<B: Host, T: Real>(z: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    let shape = z.shape();
    let values = B::read(z, |z: &[T]| {
        let mut values = vec![T::ZERO; z.len()];
        if let Some(function) = Function::of(activation) {
            let chunks = values.par_chunks_mut(CHUNK).zip(z.par_chunks(CHUNK));
            // Compiled for the widest vectors.
            chunks.for_each(|(to, z)| Arch::new().dispatch(|| function.value(z, to)));
        }
        values
    });
    B::write(values, shape)
}

/// `gradient ∘ σ′(z)`.
fn backward<B: Host, T: Real>(
    z: FloatTensor<B>,
    gradient: FloatTensor<B>,
    activation: Activation,
) -> FloatTensor<B> {
    let shape = z.shape();
    let values = B::read(z, |z: &[T]| {
        B::read(gradient, |gradient: &[T]| {
            let mut values = vec![T::ZERO; z.len()];
            if let Some(function) = Function::of(activation) {
                let chunks = values.par_chunks_mut(CHUNK).zip(z.par_chunks(CHUNK));
                let chunks = chunks.zip(gradient.par_chunks(CHUNK));
                chunks.for_each(|((to, z), gradient)| {
                    Arch::new().dispatch(|| {
                        function.derivative(z, to);
                        for (to, gradient) in to.iter_mut().zip(gradient) {
                            *to *= *gradient;
                        }
                    });
                });
            }
            values
        })
    });
    B::write(values, shape)
}
