//! Neurons that answer for their copies, against plain loops.

use burgeon_ops::Activation;
use burgeon_ops::{
    CopyOfEach, NeuronCopies, activate, activate_copies, activate_first, differing_channels,
    share_memory,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

fn normal(count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// `[n, M]` or `[n, M, plane, 1]`, motions in a tensor of their own where they are `apart`.
fn run(
    activation: Activation,
    (z, output): (&[f64], &[f64]),
    [samples, channels, neurons, plane]: [usize; 4],
    (copies, apart): (&NeuronCopies, bool),
    (epsilon, dtype, device): (f64, DType, &Device),
) -> Vec<f64> {
    let tensor = |values: &[f64], channels| {
        let data = TensorData::new(values.to_vec(), [samples, channels, plane, 1]);
        Tensor::<4>::from_data(data.convert_dtype(dtype), (device, dtype))
    };
    let (z, output) = (tensor(z, channels), tensor(output, neurons));
    let motion = match apart && channels > neurons {
        true => z.clone().narrow(1, neurons, channels - neurons),
        false => z.clone(),
    };
    if plane == 1 {
        let z = [z, motion].map(|z| z.squeeze_dims::<2>(&[2, 3]));
        let output = output.reshape([samples, neurons]);
        let found = activate_copies::<2>(activation, z, output, copies, epsilon);
        return found.into_data().iter().collect();
    }
    let found = activate_copies::<4>(activation, [z, motion], output, copies, epsilon);
    found.into_data().iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// By the kernel (tanh, on both backends) and by Burn's operations (GELU).
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn same_as_plain_loops(
        seed in any::<u64>(),
        samples in 1_usize..300,
        neurons in 1_usize..7,
        split in 1_usize..7,
        directions in 0_usize..4,
        count in 1_usize..4,
        plane in 1_usize..9,
        is_gelu in any::<bool>(),
        apart in any::<bool>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let split = split.min(neurons);
        let first = seed as usize % neurons;
        let chosen: Vec<usize> = (0..split).rev().map(|k| (first + k) % neurons).collect();
        let copies = NeuronCopies {
            neurons: chosen.clone(),
            directions,
            copies: (0..count)
                .map(|_| CopyOfEach {
                    weights: normal(split, &mut rng),
                    steps: normal(directions * split, &mut rng),
                })
                .collect(),
        };
        let channels = neurons + directions * split;
        let z = normal(samples * channels * plane, &mut rng);
        let output = normal(samples * neurons * plane, &mut rng);
        let epsilon = 0.7;
        let activation = if is_gelu { Activation::Gelu } else { Activation::Tanh };
        let value = |z: f64| {
            let z = Tensor::<1>::from_data(TensorData::from([z]), (&Device::flex(), DType::F64));
            activation.value(z).into_scalar::<f64>()
        };
        // The first and the last samples: runs and tasks take some samples each.
        let is_checked = |sample: usize| sample < 10 || sample + 10 >= samples;
        let mut expected = output.clone();
        for sample in (0..samples).filter(|sample| is_checked(*sample)) {
            for (k, neuron) in chosen.iter().enumerate() {
                for p in 0..plane {
                    let at = |channel: usize| z[(sample * channels + channel) * plane + p];
                    let answer = |copy: &CopyOfEach| {
                        let motion: f64 = (0..directions)
                            .map(|d| copy.steps[d * split + k] * at(neurons + d * split + k))
                            .sum();
                        copy.weights[k] * value(at(*neuron) + epsilon * motion)
                    };
                    expected[(sample * neurons + neuron) * plane + p] =
                        copies.copies.iter().map(answer).sum();
                }
            }
        }
        let sizes = [samples, channels, neurons, plane];
        for device in [Device::flex(), Device::ndarray()] {
            for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
                let options = (epsilon, dtype, &device);
                let found = run(activation, (&z, &output), sizes, (&copies, apart), options);
                prop_assert_eq!(found.len(), expected.len());
                let size = neurons * plane;
                let pairs = found.chunks(size).zip(expected.chunks(size)).enumerate();
                let pairs = pairs.filter(|(sample, _)| is_checked(*sample));
                let pairs = pairs.flat_map(|(_, (found, expected))| found.iter().zip(expected));
                for (found, expected) in pairs {
                    let off = (found - expected).abs();
                    prop_assert!(off <= bound * (1.0 + expected.abs()), "{found} {expected}");
                }
            }
        }
    }
}

#[test]
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
fn channels_that_differ_anywhere_are_found() {
    for device in [Device::flex(), Device::ndarray()] {
        let same = Tensor::<4>::zeros([3, 5, 2, 2], (&device, DType::F32));
        assert!(differing_channels(same.clone(), same.clone()).is_empty());
        // The last place of one channel, the first of another.
        let mut values = vec![0.0_f32; 60];
        values[2 * 20 + 4 * 4 + 3] = 1e-30;
        values[4] = f32::NAN;
        let other = Tensor::from_data(TensorData::new(values, [3, 5, 2, 2]), &device);
        assert_eq!(differing_channels(same, other), [1, 4]);
    }
}

#[test]
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
fn the_first_channels_are_activated_as_if_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let values = normal(700 * 5 * 6, &mut rng);
    for device in [Device::flex(), Device::ndarray()] {
        let data = TensorData::new(values.clone(), [700, 5, 3, 2]);
        let z = Tensor::<4>::from_data(data, (&device, DType::F64));
        for (activation, neurons) in [(Activation::Tanh, 3), (Activation::Silu, 5)] {
            let found = activate_first(activation, z.clone(), neurons);
            let expected = activate(activation, z.clone().narrow(1, 0, neurons));
            assert_eq!(found.into_data(), expected.into_data());
        }
    }
}

#[test]
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
fn an_answer_is_written_over_only_where_nothing_else_holds_it() {
    let copies = NeuronCopies {
        neurons: vec![1],
        directions: 1,
        copies: vec![CopyOfEach {
            weights: vec![1.0],
            steps: vec![1.0],
        }],
    };
    for device in [Device::flex(), Device::ndarray()] {
        let z = Tensor::<2>::from_data([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], (&device, DType::F64));
        let output = activate_first(Activation::Tanh, z.clone(), 2);
        let answer = |output, epsilon| {
            activate_copies(
                Activation::Tanh,
                [z.clone(), z.clone()],
                output,
                &copies,
                epsilon,
            )
        };
        let held = answer(output.clone(), 0.5);
        let before = (output.to_data(), held.to_data());
        let next = answer(held.clone(), 0.25);
        assert_eq!((output.to_data(), held.to_data()), before);
        assert_eq!(next.into_data(), answer(output, 0.25).into_data());
        assert_eq!(answer(held, 0.5).into_data(), before.1);
    }
}

#[test]
fn memory_is_shared_by_the_same_values_only() {
    let device = Device::flex();
    let a = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
    assert!(share_memory(&a, &a.clone()));
    assert!(!share_memory(&a, &a.clone().mul_scalar(1.0)));
    assert!(!share_memory(&a, &a.clone().transpose()));
    let [first, last] = [0, 1].map(|row| a.clone().narrow(0, row, 1));
    assert!(!share_memory(&first, &last));
    assert!(share_memory(&first, &first.clone()));
}
