//! The gradient at a tensor within a graph.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, NdArray, backend_extension};
use burn::tensor::Tensor;

use crate::host::is_host;

/// `x` as it is, and a leaf whose gradient after a backward pass is the gradient at `x`.
///
/// On Burn's CPU devices the leaf is one number, and nothing is copied or added; elsewhere it
/// is a tensor of zeros that is added to `x`.
pub fn probed<const D: usize>(x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    if !is_host(&x.device()) {
        let probe = x.zeros_like().detach().require_grad();
        return (x + probe.clone(), probe);
    }
    let probe = Tensor::zeros([1; D], (&x.device(), x.dtype())).require_grad();
    let seen = Dispatch::probed(x.into_dispatch(), probe.clone().into_dispatch());
    (Tensor::from_dispatch(seen), probe)
}

/// The first tensor, whose gradient both get; called through [`probed`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait ProbeOp: Backend {
    fn probed(x: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl ProbeOp for Flex {
    fn probed(x: FloatTensor<Self>, _probe: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}

impl ProbeOp for NdArray {
    fn probed(x: FloatTensor<Self>, _probe: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}

impl<B: ProbeOp, C: CheckpointStrategy> ProbeOp for Autodiff<B, C> {
    fn probed(x: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = x.primitive().clone();
        let prepared = Probe.prepare::<C>([x.node(), probe.node()]);
        prepared.compute_bound().stateless(output)
    }
}

#[derive(Debug)]
struct Probe;

impl<B: Backend> Backward<B, 2> for Probe {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        for parent in ops.parents.into_iter().flatten() {
            gradients.register::<B>(parent.id, gradient.clone());
        }
    }
}
