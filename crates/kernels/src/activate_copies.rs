//! Post-activations of neurons that answer for their copies.

use burgeon_core::Activation;
use burn::tensor::{DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;

use crate::activate::{Function, activate};
use crate::host::{is_host, with_slice};
use crate::real::Real;

/// Values of the output that one task takes, about.
const CHUNK: usize = 1 << 14;

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

/// Post-activations `[b, neurons, …]` where `copies` answer for their neurons.
///
/// `z` `[b, neurons + directions·k, …]` holds the pre-activations of all neurons, and then what
/// the first direction of each split neuron gives, what the second gives, and so on. A split
/// neuron answers with `Σ w σ(z + ε Σ step·direction)` over its copies, any other as in
/// `output` `[b, neurons, …]`.
///
/// Panics, as Burn's operations do, where shapes do not fit.
pub fn activate_copies<const D: usize>(
    activation: Activation,
    z: Tensor<D>,
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let device = output.device();
    let ours = is_host(&device) && !device.is_autodiff();
    let function = Function::of(activation).filter(|_| ours);
    match (function, output.dtype()) {
        (Some(function), DType::F32) => on_host::<f32, D>(function, z, output, copies, epsilon),
        (Some(function), DType::F64) => on_host::<f64, D>(function, z, output, copies, epsilon),
        _ => by_operations(activation, z, output, copies, epsilon),
    }
}

fn on_host<T: Real, const D: usize>(
    function: Function,
    z: Tensor<D>,
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let (device, shape) = (output.device(), output.dims());
    let plane: usize = shape[2..].iter().product();
    let split = copies.neurons.len();
    let part = Part {
        function,
        neurons: shape[1],
        channels: shape[1] + split * copies.directions,
        plane,
        split: &copies.neurons,
        copies: copies
            .copies
            .iter()
            .map(|copy| {
                let cast = |value: &f64| T::from_f64(*value);
                let step = |value: &f64| T::from_f64(epsilon * value);
                (
                    copy.steps.iter().map(step).collect(),
                    copy.weights.iter().map(cast).collect(),
                )
            })
            .collect(),
    };
    let samples = (CHUNK / (shape[1] * plane).max(1)).max(1);
    let mut values = with_slice(output, <[T]>::to_vec);
    with_slice(z, |z: &[T]| {
        values
            .par_chunks_mut((samples * shape[1] * plane).max(1))
            .zip(z.par_chunks((samples * part.channels * plane).max(1)))
            // Compiled for the widest vectors.
            .for_each(|(values, z)| Arch::new().dispatch(|| part.answer(z, values)));
    });
    Tensor::from_data(TensorData::new(values, shape), (&device, T::dtype()))
}

/// What every part of a batch needs.
struct Part<'a, T> {
    function: Function,
    neurons: usize,
    channels: usize,
    plane: usize,
    split: &'a [usize],
    /// Steps and weights of each copy.
    copies: Vec<(Vec<T>, Vec<T>)>,
}

impl<T: Real> Part<'_, T> {
    /// Overwrites the split neurons of some samples.
    #[inline(always)]
    fn answer(&self, z: &[T], values: &mut [T]) {
        let size = self.channels * self.plane;
        let count = self.split.len() * self.plane;
        let samples = z.len() / size.max(1);
        let mut at_rest = Vec::with_capacity(samples * count);
        for z in z.chunks_exact(size) {
            for &neuron in self.split {
                match self.plane {
                    1 => at_rest.push(z[neuron]),
                    plane => at_rest.extend_from_slice(&z[neuron * plane..(neuron + 1) * plane]),
                }
            }
        }
        let mut sums = vec![T::ZERO; at_rest.len()];
        let mut answers = vec![T::ZERO; at_rest.len()];
        let mut moved = vec![T::ZERO; at_rest.len()];
        for (steps, weights) in &self.copies {
            moved.copy_from_slice(&at_rest);
            for (moved, z) in moved.chunks_exact_mut(count).zip(z.chunks_exact(size)) {
                let motion = z[self.neurons * self.plane..].chunks_exact(count);
                for (motion, steps) in motion.zip(steps.chunks_exact(self.split.len())) {
                    self.add(moved, motion, steps);
                }
            }
            self.function.value(&moved, &mut answers);
            for (sums, answers) in sums
                .chunks_exact_mut(count)
                .zip(answers.chunks_exact(count))
            {
                self.add(sums, answers, weights);
            }
        }
        let size = self.neurons * self.plane;
        for (values, sums) in values.chunks_exact_mut(size).zip(sums.chunks_exact(count)) {
            for (index, &neuron) in self.split.iter().enumerate() {
                match self.plane {
                    1 => values[neuron] = sums[index],
                    plane => values[neuron * plane..(neuron + 1) * plane]
                        .copy_from_slice(&sums[index * plane..(index + 1) * plane]),
                }
            }
        }
    }

    /// Adds the planes of `more`, each times its factor.
    #[inline(always)]
    fn add(&self, to: &mut [T], more: &[T], factors: &[T]) {
        if self.plane == 1 {
            for ((to, more), factor) in to.iter_mut().zip(more).zip(factors) {
                *to += *factor * *more;
            }
            return;
        }
        let planes = to
            .chunks_exact_mut(self.plane)
            .zip(more.chunks_exact(self.plane));
        for ((to, more), factor) in planes.zip(factors) {
            for (to, more) in to.iter_mut().zip(more) {
                *to += *factor * *more;
            }
        }
    }
}

fn by_operations<const D: usize>(
    activation: Activation,
    z: Tensor<D>,
    output: Tensor<D>,
    copies: &NeuronCopies,
    epsilon: f64,
) -> Tensor<D> {
    let (device, dtype) = (output.device(), output.dtype());
    let (neurons, count) = (output.dims()[1], copies.neurons.len());
    let split = indices(copies.neurons.clone(), &device);
    let factors = |values: &[f64]| {
        let mut shape = [1; D];
        shape[1] = count;
        let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
        Tensor::<D>::from_data(data, (&device, dtype))
    };
    let at_rest = z.clone().select(1, split.clone());
    // What the neurons answer as they are goes, what the copies answer comes.
    let mut by = output.clone().select(1, split.clone()).neg();
    for copy in &copies.copies {
        let mut moved = at_rest.clone();
        for (index, steps) in copy.steps.chunks(count).enumerate() {
            let motion = z.clone().narrow(1, neurons + index * count, count);
            moved = moved + motion * factors(steps).mul_scalar(epsilon);
        }
        by = by + activate(activation, moved) * factors(&copy.weights);
    }
    output.select_assign(1, split, by, IndexingUpdateOp::Add)
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
                    *flag = *flag || a != b;
                }
            }
        });
    });
    flags
}

fn indices(values: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
