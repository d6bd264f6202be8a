//! Max pooling as an operation on Burn's tensors, with its gradient.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{DType, Shape, Tensor, module};
use rayon::prelude::*;

use crate::host::{Host, is_host};
use crate::real::Real;

/// Numbers of input that one task takes.
const CHUNK: usize = 1 << 15;

/// The largest value in each window of maps `[b, c, h, w]`, without padding:
/// `[b, c, (h − k)/s + 1, (w − k)/s + 1]`. Of equal values the first takes the gradient.
///
/// On Burn's CPU devices, in f32 and f64, by this crate; everywhere else, and where the window does
/// not fit, by Burn's own pooling, which then panics as it does.
pub fn max_pool2d(maps: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = maps.dims();
    let fits = (1..=height).contains(&kernel[0])
        && (1..=width).contains(&kernel[1])
        && !stride.contains(&0);
    let ours = fits && matches!(maps.dtype(), DType::F32 | DType::F64) && is_host(&maps.device());
    if ours {
        return Tensor::from_dispatch(Dispatch::max_pool(maps.into_dispatch(), kernel, stride));
    }
    module::max_pool2d(maps, MaxPoolOptions::new(kernel).with_stride(stride))
}

/// The pooling on each backend; called through [`max_pool2d`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait PoolingOp: Backend {
    fn max_pool(
        maps: FloatTensor<Self>,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> FloatTensor<Self>;
}

impl PoolingOp for Flex {
    fn max_pool(
        maps: FloatTensor<Self>,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> FloatTensor<Self> {
        forward::<Self>(maps, kernel, stride)
    }
}

impl PoolingOp for NdArray {
    fn max_pool(
        maps: FloatTensor<Self>,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> FloatTensor<Self> {
        forward::<Self>(maps, kernel, stride)
    }
}

impl<B: Host + PoolingOp, C: CheckpointStrategy> PoolingOp for Autodiff<B, C> {
    fn max_pool(
        maps: FloatTensor<Self>,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> FloatTensor<Self> {
        let output = B::max_pool(maps.primitive().clone(), kernel, stride);
        match Unpool
            .prepare::<C>([maps.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let kept = prepared.checkpoint(&maps);
                prepared.finish((kept, kernel, stride), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Unpool;

impl<B: Host> Backward<B, 1> for Unpool {
    type State = (NodeId, [usize; 2], [usize; 2]);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [parent] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let (kept, kernel, stride) = ops.state;
        let maps = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept);
        if let Some(parent) = parent {
            let windows = Windows::new::<B>(&maps, kernel, stride);
            let result = match maps.dtype() {
                DType::F64 => windows.backward::<B, f64>(maps, gradient),
                _ => windows.backward::<B, f32>(maps, gradient),
            };
            gradients.register::<B>(parent.id, result);
        }
    }
}

fn forward<B: Host>(
    maps: FloatTensor<B>,
    kernel: [usize; 2],
    stride: [usize; 2],
) -> FloatTensor<B> {
    let windows = Windows::new::<B>(&maps, kernel, stride);
    match maps.dtype() {
        DType::F64 => windows.forward::<B, f64>(maps),
        _ => windows.forward::<B, f32>(maps),
    }
}

/// The windows of one pooling.
struct Windows {
    shape: Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Output `[h', w']`.
    output: [usize; 2],
}

impl Windows {
    fn new<B: Backend>(maps: &FloatTensor<B>, kernel: [usize; 2], stride: [usize; 2]) -> Self {
        let shape = maps.shape();
        let output = [0, 1].map(|axis| (shape[2 + axis] - kernel[axis]) / stride[axis] + 1);
        Self {
            shape,
            kernel,
            stride,
            output,
        }
    }

    fn input_plane(&self) -> usize {
        self.shape[2] * self.shape[3]
    }

    fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Planes of one task.
    fn planes(&self) -> usize {
        (CHUNK / self.input_plane()).max(1)
    }

    fn pooled_shape(&self) -> Shape {
        Shape::new([self.shape[0], self.shape[1], self.output[0], self.output[1]])
    }

    /// Runs `work(output index, index of the largest value)` for each window of a plane.
    fn for_each<T: Real>(&self, plane: &[T], mut work: impl FnMut(usize, usize)) {
        let width = self.shape[3];
        if self.kernel == [2, 2] {
            return self.for_each_of_four(plane, work);
        }
        for y in 0..self.output[0] {
            for x in 0..self.output[1] {
                let corner = y * self.stride[0] * width + x * self.stride[1];
                let mut largest = corner;
                for ky in 0..self.kernel[0] {
                    for kx in 0..self.kernel[1] {
                        let index = corner + ky * width + kx;
                        if plane[index] > plane[largest] {
                            largest = index;
                        }
                    }
                }
                work(y * self.output[1] + x, largest);
            }
        }
    }

    /// As [`for_each`](Self::for_each), for windows of 2×2, without branches.
    fn for_each_of_four<T: Real>(&self, plane: &[T], mut work: impl FnMut(usize, usize)) {
        let width = self.shape[3];
        let [step_y, step_x] = self.stride;
        for y in 0..self.output[0] {
            let row = y * step_y * width;
            let (top, bottom) = plane[row..row + 2 * width].split_at(width);
            for x in 0..self.output[1] {
                let at = x * step_x;
                let (mut largest, mut index) = (top[at], at);
                for (value, place) in [
                    (top[at + 1], at + 1),
                    (bottom[at], width + at),
                    (bottom[at + 1], width + at + 1),
                ] {
                    let larger = value > largest;
                    largest = if larger { value } else { largest };
                    index = if larger { place } else { index };
                }
                work(y * self.output[1] + x, row + index);
            }
        }
    }

    fn forward<B: Host, T: Real>(&self, maps: FloatTensor<B>) -> FloatTensor<B> {
        let (input, output) = (self.input_plane(), self.output_plane());
        let values = B::read(maps, |maps: &[T]| {
            let mut values = vec![T::ZERO; maps.len() / input * output];
            let tasks = values.par_chunks_mut(self.planes() * output);
            tasks
                .zip(maps.par_chunks(self.planes() * input))
                .for_each(|(to, from)| {
                    let planes = to.chunks_exact_mut(output).zip(from.chunks_exact(input));
                    for (to, from) in planes {
                        self.for_each(from, |index, largest| to[index] = from[largest]);
                    }
                });
            values
        });
        B::write(values, self.pooled_shape())
    }

    fn backward<B: Host, T: Real>(
        &self,
        maps: FloatTensor<B>,
        gradient: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let (input, output) = (self.input_plane(), self.output_plane());
        let values = B::read(maps, |maps: &[T]| {
            B::read(gradient, |gradient: &[T]| {
                let mut values = vec![T::ZERO; maps.len()];
                let tasks = values
                    .par_chunks_mut(self.planes() * input)
                    .zip(maps.par_chunks(self.planes() * input))
                    .zip(gradient.par_chunks(self.planes() * output));
                tasks.for_each(|((to, from), gradient)| {
                    let planes = to.chunks_exact_mut(input).zip(from.chunks_exact(input));
                    let planes = planes.zip(gradient.chunks_exact(output));
                    for ((to, from), gradient) in planes {
                        self.for_each(from, |index, largest| to[largest] += gradient[index]);
                    }
                });
                values
            })
        });
        B::write(values, self.shape.clone())
    }
}
