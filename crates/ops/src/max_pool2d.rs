//! Max pooling as an operation on Burn's tensors, with its gradient.

use std::ops::Range;

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
use crate::window::Window;

/// Numbers of input that one task takes.
const CHUNK: usize = 1 << 15;

/// The largest value in each window of maps `[b, c, h, w]`, without padding:
/// `[b, c, (h − k)/s + 1, (w − k)/s + 1]`. Of equal values the first takes the gradient.
///
/// On Burn's CPU devices, in f32 and f64, by this crate; everywhere else, and where the window does
/// not fit, by Burn's own pooling, which then panics as it does.
pub fn max_pool2d(maps: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    let window = Window {
        kernel,
        stride,
        padding: [[0; 2]; 2],
        dilation: [1, 1],
    };
    max_pool2d_padded(maps, window, false)
}

/// As [`max_pool2d`], of any window; padding is never the largest. With `ceil_mode` the last
/// window of a line may reach beyond the padding.
///
/// By Burn's own pooling with a dilation, with `ceil_mode`, and where a padding is as large as the
/// kernel too.
pub fn max_pool2d_padded(maps: Tensor<4>, window: Window, ceil_mode: bool) -> Tensor<4> {
    let [_, _, height, width] = maps.dims();
    let fits = window.dilation == [1, 1]
        && !window.stride.contains(&0)
        && [height, width].into_iter().enumerate().all(|(axis, size)| {
            let (kernel, [before, after]) = (window.kernel[axis], window.padding[axis]);
            size > 0 && before.max(after) < kernel && kernel <= size + before + after
        });
    let ours = fits
        && !ceil_mode
        && matches!(maps.dtype(), DType::F32 | DType::F64)
        && is_host(&maps.device());
    if ours {
        return Tensor::from_dispatch(Dispatch::max_pool(maps.into_dispatch(), window));
    }
    let padding = window.padding.map(|[before, after]| (before, after));
    let options = MaxPoolOptions::new(window.kernel)
        .with_stride(window.stride)
        .with_padding_pairs(padding)
        .with_dilation(window.dilation)
        .with_ceil_mode(ceil_mode);
    module::max_pool2d(maps, options)
}

/// The pooling on each backend; called through [`max_pool2d`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait PoolingOp: Backend {
    fn max_pool(maps: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;
}

impl PoolingOp for Flex {
    fn max_pool(maps: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        forward::<Self>(maps, window)
    }
}

impl PoolingOp for NdArray {
    fn max_pool(maps: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        forward::<Self>(maps, window)
    }
}

impl<B: Host + PoolingOp, C: CheckpointStrategy> PoolingOp for Autodiff<B, C> {
    fn max_pool(maps: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        let output = B::max_pool(maps.primitive().clone(), window);
        match Unpool
            .prepare::<C>([maps.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let kept = prepared.checkpoint(&maps);
                prepared.finish((kept, window), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Unpool;

impl<B: Host> Backward<B, 1> for Unpool {
    type State = (NodeId, Window);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [parent] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let (kept, window) = ops.state;
        let maps = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept);
        if let Some(parent) = parent {
            let windows = Windows::new::<B>(&maps, window);
            let result = match maps.dtype() {
                DType::F64 => windows.backward::<B, f64>(maps, gradient),
                _ => windows.backward::<B, f32>(maps, gradient),
            };
            gradients.register::<B>(parent.id, result);
        }
    }
}

fn forward<B: Host>(maps: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    let windows = Windows::new::<B>(&maps, window);
    match maps.dtype() {
        DType::F64 => windows.forward::<B, f64>(maps),
        _ => windows.forward::<B, f32>(maps),
    }
}

/// The windows of one pooling.
struct Windows {
    shape: Shape,
    window: Window,
    /// Output `[h', w']`.
    output: [usize; 2],
}

impl Windows {
    fn new<B: Backend>(maps: &FloatTensor<B>, window: Window) -> Self {
        let shape = maps.shape();
        let output = window.output_size([shape[2], shape[3]]);
        Self {
            shape,
            window,
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
        if self.window.kernel == [2, 2] && self.window.padding == [[0; 2]; 2] {
            return self.for_each_of_four(plane, work);
        }
        let width = self.shape[3];
        for y in 0..self.output[0] {
            let lines = self.reads(0, y);
            for x in 0..self.output[1] {
                let columns = self.reads(1, x);
                let mut largest = lines.start * width + columns.start;
                for line in lines.clone() {
                    for column in columns.clone() {
                        let index = line * width + column;
                        if plane[index] > plane[largest] {
                            largest = index;
                        }
                    }
                }
                work(y * self.output[1] + x, largest);
            }
        }
    }

    /// The lines (axis 0) or columns of the input, not of the padding, that an output reads.
    fn reads(&self, axis: usize, output: usize) -> Range<usize> {
        let before = self.window.padding[axis][0];
        let start = output * self.window.stride[axis];
        let end = start + self.window.kernel[axis] - before;
        start.saturating_sub(before)..end.min(self.shape[2 + axis])
    }

    /// As [`for_each`](Self::for_each), for windows of 2×2 without padding, without branches.
    fn for_each_of_four<T: Real>(&self, plane: &[T], mut work: impl FnMut(usize, usize)) {
        let width = self.shape[3];
        let [step_y, step_x] = self.window.stride;
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
