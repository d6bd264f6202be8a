//! Post-activations of neurons that answer for their copies.

use burn::tensor::{DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::activate::{Function, activate};
use crate::activation::Activation;
use crate::host::{into_values, is_host, with_slice};
use crate::real::Real;

/// Values of the output that one task takes, about.
const CHUNK: usize = 1 << 14;

/// Values of neurons with copies that are worked on at once: a few such runs stay in the fastest cache.
const RUN: usize = 1 << 10;

/// The copies of some of a layer's neurons, as many of each: those that one does not have
/// weigh 0.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuronCopies {
    /// The neurons, `[k]`, each once.
    pub neurons: Vec<usize>,
    /// The number of directions in which the copies of one neuron move.
    pub directions: usize,
    /// First copies of all neurons, second ones, and so on.
    pub copies: Vec<CopyOfEach>,
}

/// One copy of each neuron.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyOfEach {
    /// Its share `w` of the neuron's outgoing weights, `[k]`.
    pub weights: Vec<f64>,
    /// How far it moves along each of the neuron's directions in units of ε,
    /// `[directions, k]`.
    pub steps: Vec<f64>,
}

/// Post-activations `[b, neurons, …]` of the first `neurons` channels of `z` `[b, channels, …]`.
///
/// Panics, as Burn's operations do, where there are fewer channels.
pub fn activate_first<const D: usize>(
    activation: Activation,
    z: Tensor<D>,
    neurons: usize,
) -> Tensor<D> {
    let mut shape = z.dims();
    let device = z.device();
    let channels = std::mem::replace(&mut shape[1], neurons);
    let ours = is_host(&device) && !device.is_autodiff() && neurons < channels;
    match (Function::of(activation).filter(|_| ours), z.dtype()) {
        (Some(function), DType::F32) => first_on_host::<f32, D>(function, z, shape),
        (Some(function), DType::F64) => first_on_host::<f64, D>(function, z, shape),
        _ => activate(activation, z.narrow(1, 0, neurons)),
    }
}

fn first_on_host<T: Real, const D: usize>(
    function: Function,
    z: Tensor<D>,
    shape: [usize; D],
) -> Tensor<D> {
    let device = z.device();
    let plane: usize = shape[2..].iter().product();
    let (channels, size) = (z.dims()[1] * plane, shape[1] * plane);
    let samples = (CHUNK / channels.max(1)).max(1);
    let mut values = vec![T::ZERO; shape[0] * size];
    with_slice(z, |z: &[T]| {
        values
            .par_chunks_mut((samples * size).max(1))
            .zip(z.par_chunks((samples * channels).max(1)))
            .for_each(|(values, z)| {
                Arch::new().dispatch(|| {
                    let samples = values.chunks_exact_mut(size).zip(z.chunks_exact(channels));
                    for (values, z) in samples {
                        function.value(&z[..size], values);
                    }
                });
            });
    });
    Tensor::from_data(TensorData::new(values, shape), (&device, T::dtype()))
}

/// Post-activations `[b, neurons, …]` where `copies` answer for their neurons.
///
/// The first channels of `z` are the pre-activations of all neurons; the last `directions·k` of
/// `motion`, which may be the same tensor, are what the first direction of each neuron with
/// copies gives, what the second gives, and so on. Such a neuron answers with
/// `Σ w σ(z + ε Σ step·motion)` over its copies, any other as in `output` `[b, neurons, …]`,
/// which may be the answer under another ε: it is written over where nothing else holds it.
///
/// Panics, as Burn's operations do, where shapes do not fit.
pub fn activate_copies<const D: usize>(
    activation: Activation,
    [z, motion]: [Tensor<D>; 2],
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let device = output.device();
    let ours = is_host(&device) && !device.is_autodiff();
    let function = Function::of(activation).filter(|_| ours);
    // Without a motion that tensor may have no channels.
    let motion = match copies.directions {
        0 => z.clone(),
        _ => motion,
    };
    match (function, output.dtype()) {
        (Some(function), DType::F32) => {
            on_host::<f32, D>(function, [z, motion], output, copies, epsilon)
        }
        (Some(function), DType::F64) => {
            on_host::<f64, D>(function, [z, motion], output, copies, epsilon)
        }
        _ => by_operations(activation, [z, motion], output, copies, epsilon),
    }
}

fn on_host<T: Real, const D: usize>(
    function: Function,
    [z, motion]: [Tensor<D>; 2],
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let (device, shape) = (output.device(), output.dims());
    let plane: usize = shape[2..].iter().product();
    let copied = copies.neurons.len();
    let count = copied * plane;
    let at_once = (RUN / count.max(1)).max(1);
    // A factor for each value of a run, so that its loops have no ends within.
    let spread = |factors: &[f64], by: f64| -> Vec<T> {
        let mut of_sample = Vec::with_capacity(count);
        for factor in factors {
            of_sample.resize(of_sample.len() + plane, T::from_f64(by * factor));
        }
        of_sample.repeat(at_once)
    };
    let part = Part {
        function,
        neurons: shape[1],
        channels: [z.dims()[1], motion.dims()[1]],
        motion: motion.dims()[1] - copied * copies.directions,
        plane,
        copied: &copies.neurons,
        are_all: copies.neurons.iter().copied().eq(0..shape[1]),
        at_once,
        copies: copies
            .copies
            .iter()
            .map(|copy| Spread {
                weights: spread(&copy.weights, 1.0),
                steps: copy
                    .steps
                    .chunks(copied.max(1))
                    .map(|steps| spread(steps, epsilon))
                    .collect(),
            })
            .collect(),
    };
    let samples = (CHUNK / (shape[1] * plane).max(1)).max(1);
    let mut values: Vec<T> = into_values(output);
    let [of_z, of_motion] = part.channels.map(|c| (samples * c * plane).max(1));
    with_slice(z, |z: &[T]| {
        with_slice(motion, |motion: &[T]| {
            values
                .par_chunks_mut((samples * shape[1] * plane).max(1))
                .zip(z.par_chunks(of_z).zip(motion.par_chunks(of_motion)))
                .for_each(|(values, (z, motion))| {
                    Arch::new().dispatch(Answers {
                        part: &part,
                        z,
                        motion,
                        values,
                    });
                });
        });
    });
    Tensor::from_data(TensorData::new(values, shape), (&device, T::dtype()))
}

/// What every part of a batch needs.
struct Part<'a, T> {
    function: Function,
    neurons: usize,
    /// Of pre-activations and of motions.
    channels: [usize; 2],
    /// The first channel of the motions.
    motion: usize,
    plane: usize,
    copied: &'a [usize],
    /// Whether they are all neurons in their order.
    are_all: bool,
    /// Samples of a run.
    at_once: usize,
    copies: Vec<Spread<T>>,
}

/// The factors of one copy of each neuron, for each value of a run.
struct Spread<T> {
    weights: Vec<T>,
    /// Along the first direction of each neuron, the second, ….
    steps: Vec<Vec<T>>,
}

/// Overwrites the neurons with copies of some samples.
struct Answers<'a, T> {
    part: &'a Part<'a, T>,
    z: &'a [T],
    motion: &'a [T],
    values: &'a mut [T],
}

impl<T: Real> WithSimd for Answers<'_, T> {
    type Output = ();

    // Compiled for the widest vectors.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Part { at_once, plane, .. } = *self.part;
        let count = self.part.copied.len() * plane;
        if count == 0 {
            return;
        }
        let neurons = self.part.neurons * plane;
        let [of_z, of_motion] = self.part.channels.map(|channels| channels * plane);
        let [mut at_rest, mut motion, mut moved, mut answers, mut sums] =
            std::array::from_fn(|_| vec![T::ZERO; at_once * count]);
        let runs = self.z.chunks(at_once * of_z);
        let runs = runs.zip(self.values.chunks_mut(at_once * neurons));
        for (index, (z, values)) in runs.enumerate() {
            let run = z.len() / of_z * count;
            let mut z = z;
            if !(self.part.are_all && of_z == count) {
                for (to, z) in at_rest.chunks_exact_mut(count).zip(z.chunks_exact(of_z)) {
                    self.part.gather(z, to);
                }
                z = &at_rest[..run];
            }
            sums[..run].fill(T::ZERO);
            for Spread { weights, steps } in &self.part.copies {
                if steps.is_empty() {
                    moved[..run].copy_from_slice(z);
                }
                for (direction, steps) in steps.iter().enumerate() {
                    let start = index * at_once * of_motion;
                    let mut motions = &self.motion[start..];
                    if of_motion != count {
                        let start = self.part.motion * plane + direction * count;
                        let samples = motions.chunks_exact(of_motion);
                        for (to, motions) in motion[..run].chunks_exact_mut(count).zip(samples) {
                            to.copy_from_slice(&motions[start..start + count]);
                        }
                        motions = &motion;
                    }
                    if direction > 0 {
                        add_products(&mut moved[..run], motions, steps);
                        continue;
                    }
                    let values = moved[..run].iter_mut().zip(z).zip(motions).zip(steps);
                    for (((to, at_rest), motion), step) in values {
                        *to = *at_rest + *step * *motion;
                    }
                }
                self.part.function.value(&moved[..run], &mut answers[..run]);
                add_products(&mut sums[..run], &answers, weights);
            }
            if self.part.are_all {
                values[..run].copy_from_slice(&sums[..run]);
                continue;
            }
            let lines = values.chunks_exact_mut(neurons);
            for (values, sums) in lines.zip(sums.chunks_exact(count)) {
                self.part.scatter(sums, values);
            }
        }
    }
}

impl<T: Real> Part<'_, T> {
    /// What the neurons with copies of a sample hold.
    #[inline(always)]
    fn gather(&self, all: &[T], to: &mut [T]) {
        if self.plane == 1 {
            for (to, neuron) in to.iter_mut().zip(self.copied) {
                *to = all[*neuron];
            }
            return;
        }
        for (to, neuron) in to.chunks_exact_mut(self.plane).zip(self.copied) {
            to.copy_from_slice(&all[neuron * self.plane..(neuron + 1) * self.plane]);
        }
    }

    /// Gives it back.
    #[inline(always)]
    fn scatter(&self, from: &[T], all: &mut [T]) {
        if self.plane == 1 {
            for (from, neuron) in from.iter().zip(self.copied) {
                all[*neuron] = *from;
            }
            return;
        }
        for (from, neuron) in from.chunks_exact(self.plane).zip(self.copied) {
            all[neuron * self.plane..(neuron + 1) * self.plane].copy_from_slice(from);
        }
    }
}

#[inline(always)]
fn add_products<T: Real>(to: &mut [T], values: &[T], factors: &[T]) {
    for ((to, value), factor) in to.iter_mut().zip(values).zip(factors) {
        *to += *factor * *value;
    }
}

fn by_operations<const D: usize>(
    activation: Activation,
    [z, motion]: [Tensor<D>; 2],
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let (device, dtype) = (output.device(), output.dtype());
    let count = copies.neurons.len();
    let first = motion.dims()[1] - copies.directions * count;
    let copied = indices(copies.neurons.clone(), &device);
    let factors = |values: &[f64]| {
        let mut shape = [1; D];
        shape[1] = count;
        let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
        Tensor::<D>::from_data(data, (&device, dtype))
    };
    let at_rest = z.clone().select(1, copied.clone());
    // What the neurons answer as they are goes, what the copies answer comes.
    let mut by = output.clone().select(1, copied.clone()).neg();
    for copy in &copies.copies {
        let mut moved = at_rest.clone();
        for (index, steps) in copy.steps.chunks(count).enumerate() {
            let motion = motion.clone().narrow(1, first + index * count, count);
            moved = moved + motion * factors(steps).mul_scalar(epsilon);
        }
        by = by + activate(activation, moved) * factors(&copy.weights);
    }
    output.select_assign(1, copied, by, IndexingUpdateOp::Add)
}

/// The channels, at axis 1, in which two tensors of one shape differ.
pub fn differing_channels<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Vec<usize> {
    let channels = a.dims()[1];
    let plane: usize = a.dims()[2..].iter().product();
    let flags = match a.dtype() {
        DType::F32 if is_host(&a.device()) => flags::<f32, D>(a, b, channels, plane),
        DType::F64 if is_host(&a.device()) => flags::<f64, D>(a, b, channels, plane),
        _ => {
            let mut differs = a.not_equal(b);
            for axis in (0..D).filter(|axis| *axis != 1) {
                differs = differs.any_dim(axis);
            }
            differs.into_data().iter::<bool>().collect()
        }
    };
    let differing = flags
        .into_iter()
        .enumerate()
        .filter(|(_, differs)| *differs);
    differing.map(|(channel, _)| channel).collect()
}

fn flags<T: Real, const D: usize>(
    a: Tensor<D>,
    b: Tensor<D>,
    channels: usize,
    plane: usize,
) -> Vec<bool> {
    let mut flags = vec![false; channels];
    with_slice(a, |a: &[T]| {
        with_slice(b, |b: &[T]| {
            let size = (channels * plane).max(1);
            for (a, b) in a.chunks_exact(size).zip(b.chunks_exact(size)) {
                let planes = a.chunks_exact(plane).zip(b.chunks_exact(plane));
                for (flag, (a, b)) in flags.iter_mut().zip(planes) {
                    // A channel that is known to differ is not read on.
                    *flag = *flag || differ(a, b);
                }
            }
        });
    });
    flags
}

fn differ<T: Real>(a: &[T], b: &[T]) -> bool {
    // Compiled for the widest vectors; without an exit it is a loop of vectors.
    Arch::new().dispatch(|| {
        let pairs = a.iter().zip(b);
        pairs.fold(false, |differs, (a, b)| differs | (a != b))
    })
}

fn indices(values: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
