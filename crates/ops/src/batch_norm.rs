//! Batch normalisation in training as one operation on Burn's tensors, with its gradients.
//!
//! Burn's own lays the maps out channel by channel, in a copy for each reduction; here each
//! reduction and each result is one pass over the maps where they lie.

use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::{DType, Shape, Tensor, TensorData, module};
use rayon::prelude::*;

use crate::host::{Host, is_host, with_slice};
use crate::part_sums::{PartSums, part_sums, summed};
use crate::real::Real;

/// Planes of a task, in numbers.
const CHUNK: usize = 1 << 15;

/// Maps normalised by the statistics of their batch.
#[derive(Debug)]
pub struct Normalised<const D: usize> {
    /// `γ (x − mean)/√(variance + ε) + β`, `[b, c, …]`.
    pub output: Tensor<D>,
    /// Mean `[c]` over samples and positions, off the graph.
    pub mean: Tensor<1>,
    /// Variance `[c]`, divided by the count, off the graph.
    pub variance: Tensor<1>,
}

/// Normalises each channel of `maps` `[b, c, …]` by its mean and variance over the batch, then
/// scales by `gamma` `[c]` and shifts by `beta` `[c]`; gradients reach all three, through the
/// statistics too. What is returned with the output is what running statistics are fed.
///
/// On Burn's CPU devices, in f32 and f64, by this crate, sums in f64 across lines of maps;
/// everywhere else, and where channels are single numbers `[b, c]`, by Burn's own. Of a batch that
/// passes [in parts](crate::in_parts) the statistics are those of all parts, by this crate alone.
///
/// # Panics
/// As Burn's own where the sizes do not fit; where a batch passes in parts and this crate has no
/// kernel.
pub fn batch_norm_train<const D: usize>(
    maps: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Normalised<D> {
    let shape = maps.dims();
    let channels = [gamma.dims()[0], beta.dims()[0]];
    let dtypes = [maps.dtype(), gamma.dtype(), beta.dtype()];
    let parts = part_sums();
    let ours = (D > 2 || D == 2 && parts.is_some())
        && is_host(&maps.device())
        && channels == [shape[1]; 2]
        && !shape.contains(&0)
        && [DType::F32, DType::F64]
            .iter()
            .any(|dtype| dtypes == [*dtype; 3]);
    if !ours {
        assert!(
            parts.is_none(),
            "a batch normalisation over parts of a batch needs a CPU device, f32 or f64 throughout \
             and as many channels as its input has"
        );
        let result = module::batch_norm_train(maps, gamma, beta, epsilon);
        return Normalised {
            output: result.output,
            mean: result.mean.detach(),
            variance: result.variance.detach(),
        };
    }
    let layout = Layout::of(&maps.shape());
    let plain = match maps.is_autodiff() {
        true => maps.clone().inner(),
        false => maps.clone(),
    };
    let statistics = match maps.dtype() {
        DType::F64 => with_slice(plain, |maps: &[f64]| layout.statistics(maps)),
        _ => with_slice(plain, |maps: &[f32]| layout.statistics(maps)),
    };
    let statistics = match parts {
        Some(parts) => statistics.over(parts),
        None => statistics,
    };
    let device = maps.device();
    let on_device = |values: &Vec<f64>| {
        let data = TensorData::new(values.clone(), [shape[1]]);
        Tensor::<1>::from_data(data, (&device, maps.dtype()))
    };
    let (mean, variance) = (on_device(&statistics.mean), on_device(&statistics.variance));
    let output = Dispatch::batch_normalisation(
        maps.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        (Arc::new(statistics), epsilon),
    );
    Normalised {
        output: Tensor::from_dispatch(output),
        mean,
        variance,
    }
}

/// Of each channel.
#[derive(Debug)]
struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// Numbers of a channel.
    count: f64,
    /// Where they are those of several parts of a batch.
    parts: Option<Arc<dyn PartSums>>,
}

impl Statistics {
    /// Those of all parts of a batch, of which these are one's.
    fn over(self, parts: Arc<dyn PartSums>) -> Self {
        let channels = self.mean.len();
        let mut values = Vec::with_capacity(1 + 2 * channels);
        values.push(self.count);
        values.extend(self.mean.iter().map(|mean| self.count * mean));
        let squares = self.mean.iter().zip(&self.variance);
        values.extend(squares.map(|(mean, variance)| self.count * (variance + mean * mean)));
        let sums = summed(parts.as_ref(), values);
        let count = sums[0];
        let (means, squares) = sums[1..].split_at(channels);
        let mean: Vec<f64> = means.iter().map(|sum| sum / count).collect();
        let variance = squares.iter().zip(&mean);
        let variance = variance.map(|(sum, mean)| (sum / count - mean * mean).max(0.0));
        Self {
            variance: variance.collect(),
            mean,
            count,
            parts: Some(parts),
        }
    }
}

/// The statistics that a batch is normalised by, and ε.
type By = (Arc<Statistics>, f64);

/// The normalisation on each backend; called through [`batch_norm_train`].
#[backend_extension(Autodiff, Flex, NdArray)]
trait NormalisationOp: Backend {
    fn batch_normalisation(
        maps: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        by: By,
    ) -> FloatTensor<Self>;
}

macro_rules! on_the_host {
    ($backend:ty) => {
        impl NormalisationOp for $backend {
            fn batch_normalisation(
                maps: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                by: By,
            ) -> FloatTensor<Self> {
                match maps.dtype() {
                    DType::F64 => forward::<Self, f64>(maps, gamma, beta, &by),
                    _ => forward::<Self, f32>(maps, gamma, beta, &by),
                }
            }
        }
    };
}

on_the_host!(Flex);
on_the_host!(NdArray);

impl<B: Host + NormalisationOp, C: CheckpointStrategy> NormalisationOp for Autodiff<B, C> {
    fn batch_normalisation(
        maps: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        by: By,
    ) -> FloatTensor<Self> {
        let [x, c, b] = [&maps, &gamma, &beta].map(|tensor| tensor.primitive().clone());
        let output = B::batch_normalisation(x, c, b, by.clone());
        let prepared = Normalisation.prepare::<C>([maps.node(), gamma.node(), beta.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = [prepared.checkpoint(&maps), prepared.checkpoint(&gamma)];
                prepared.finish((kept, by), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Normalisation;

impl<B: Host> Backward<B, 3> for Normalisation {
    type State = ([NodeId; 2], By);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (kept, by) = ops.state;
        let [maps, gamma] =
            kept.map(|node| checkpointer.retrieve_node_output::<FloatTensor<B>>(node));
        let found = match maps.dtype() {
            DType::F64 => backward::<B, f64>(maps, gamma, gradient, &by),
            _ => backward::<B, f32>(maps, gamma, gradient, &by),
        };
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}

/// Maps `[b, c, …]` as planes.
#[derive(Clone, Copy)]
struct Layout {
    channels: usize,
    plane: usize,
}

impl Layout {
    fn of(shape: &Shape) -> Self {
        Self {
            channels: shape[1],
            plane: shape[2..].iter().product(),
        }
    }

    /// Planes of a task, in numbers.
    fn task(self) -> usize {
        (CHUNK / self.plane).max(1) * self.plane
    }

    /// What `work` finds for each channel.
    fn by_channel<R: Send>(self, work: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
        (0..self.channels).into_par_iter().map(work).collect()
    }

    /// A channel's planes in maps.
    fn planes<T>(self, maps: &[T], channel: usize) -> impl Iterator<Item = &[T]> {
        let planes = maps.chunks_exact(self.plane);
        planes.skip(channel).step_by(self.channels)
    }

    fn statistics<T: Real>(self, maps: &[T]) -> Statistics {
        let count = (maps.len() / self.channels) as f64;
        let found = self.by_channel(|channel| {
            let total =
                |term: &dyn Fn(&[T]) -> f64| self.planes(maps, channel).map(term).sum::<f64>();
            let mean = total(&|plane| sum(plane, plane, |x, _| x)) / count;
            let centre = T::from_f64(mean);
            let squares = total(&|plane| sum(plane, plane, |x, _| (x - centre) * (x - centre)));
            (mean, squares / count)
        });
        let (mean, variance) = found.into_iter().unzip();
        Statistics {
            mean,
            variance,
            count,
            parts: None,
        }
    }
}

/// The sum of `term(a, b)`, sixteen sums side by side in T and those of lines in f64.
fn sum<T: Real>(a: &[T], b: &[T], term: impl Fn(T, T) -> T) -> f64 {
    const LANES: usize = 16;
    const LINE: usize = 32 * LANES;
    let mut total = 0.0;
    for (a, b) in a.chunks(LINE).zip(b.chunks(LINE)) {
        let mut sums = [T::ZERO; LANES];
        let (whole_a, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let rest = whole_a.remainder().iter().zip(whole_b.remainder());
        for (a, b) in whole_a.zip(whole_b) {
            for lane in 0..LANES {
                sums[lane] += term(a[lane], b[lane]);
            }
        }
        total += sums.iter().map(|sum| sum.to_f64()).sum::<f64>();
        total += rest.map(|(a, b)| term(*a, *b).to_f64()).sum::<f64>();
    }
    total
}

fn forward<B: Host, T: Real>(
    maps: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    (statistics, epsilon): &By,
) -> FloatTensor<B> {
    let shape = maps.shape();
    let layout = Layout::of(&shape);
    let gamma: Vec<T> = B::read(gamma, <[T]>::to_vec);
    let beta: Vec<T> = B::read(beta, <[T]>::to_vec);
    let values = B::read(maps, |maps: &[T]| {
        let mut values = vec![T::ZERO; maps.len()];
        let tasks = values.par_chunks_mut(layout.task()).enumerate();
        tasks
            .zip(maps.par_chunks(layout.task()))
            .for_each(|((task, to), from)| {
                let first = task * (layout.task() / layout.plane);
                let planes = to
                    .chunks_exact_mut(layout.plane)
                    .zip(from.chunks_exact(layout.plane));
                for (index, (to, from)) in planes.enumerate() {
                    let channel = (first + index) % layout.channels;
                    let mean = T::from_f64(statistics.mean[channel]);
                    let scale =
                        gamma[channel] * inverse_deviation::<T>(statistics, channel, *epsilon);
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = (*from - mean) * scale + beta[channel];
                    }
                }
            });
        values
    });
    B::write(values, shape)
}

fn inverse_deviation<T: Real>(statistics: &Statistics, channel: usize, epsilon: f64) -> T {
    T::from_f64(1.0 / (statistics.variance[channel] + epsilon).sqrt())
}

/// Gradients of the maps, of γ and of β.
fn backward<B: Host, T: Real>(
    maps: FloatTensor<B>,
    gamma: FloatTensor<B>,
    gradient: FloatTensor<B>,
    (statistics, epsilon): &By,
) -> [FloatTensor<B>; 3] {
    let shape = maps.shape();
    let layout = Layout::of(&shape);
    let gamma: Vec<T> = B::read(gamma, <[T]>::to_vec);
    let (values, sums) = B::read(maps, |maps: &[T]| {
        B::read(gradient, |gradient: &[T]| {
            let count = statistics.count;
            // Of the gradient, and of it times the normalised maps.
            let sums: Vec<(f64, f64)> = layout.by_channel(|channel| {
                let mean = T::from_f64(statistics.mean[channel]);
                let inverse: T = inverse_deviation(statistics, channel, *epsilon);
                let planes = layout.planes(maps, channel);
                let planes = planes.zip(layout.planes(gradient, channel));
                planes.fold((0.0, 0.0), |(plain, along), (x, g)| {
                    (
                        plain + sum(g, g, |g, _| g),
                        along + sum(x, g, |x, g| (x - mean) * inverse * g),
                    )
                })
            });
            // The statistics are of all parts of the batch, γ and β of this one's outputs.
            let of_batch = match &statistics.parts {
                None => sums.clone(),
                Some(parts) => {
                    let values = sums.iter().flat_map(|(plain, along)| [*plain, *along]);
                    let found = summed(parts.as_ref(), values.collect());
                    let (pairs, _) = found.as_chunks::<2>();
                    pairs
                        .iter()
                        .map(|[plain, along]| (*plain, *along))
                        .collect()
                }
            };
            let mut values = vec![T::ZERO; maps.len()];
            let tasks = values.par_chunks_mut(layout.task()).enumerate();
            let tasks = tasks.zip(maps.par_chunks(layout.task()));
            let tasks = tasks.zip(gradient.par_chunks(layout.task()));
            tasks.for_each(|(((task, to), x), g)| {
                let first = task * (layout.task() / layout.plane);
                let planes = to
                    .chunks_exact_mut(layout.plane)
                    .zip(x.chunks_exact(layout.plane));
                let planes = planes.zip(g.chunks_exact(layout.plane));
                for (index, ((to, x), g)) in planes.enumerate() {
                    let channel = (first + index) % layout.channels;
                    let mean = T::from_f64(statistics.mean[channel]);
                    let inverse: T = inverse_deviation(statistics, channel, *epsilon);
                    let scale = gamma[channel] * inverse;
                    let plain = T::from_f64(of_batch[channel].0 / count);
                    let along = T::from_f64(of_batch[channel].1 / count);
                    for ((to, x), g) in to.iter_mut().zip(x).zip(g) {
                        *to = scale * (*g - plain - (*x - mean) * inverse * along);
                    }
                }
            });
            (values, sums)
        })
    });
    let channels = Shape::new([layout.channels]);
    let of = |value: fn(&(f64, f64)) -> f64| {
        let values = sums.iter().map(|sums| T::from_f64(value(sums))).collect();
        B::write::<T>(values, channels.clone())
    };
    [
        B::write(values, shape),
        of(|sums| sums.1),
        of(|sums| sums.0),
    ]
}
