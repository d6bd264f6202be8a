//! Batch normalisation in training against Burn's own, and against finite differences.

use burgeon_ops::batch_norm_train;
use burn::tensor::{DType, Device, Tensor, TensorData, module};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

const EPSILON: f64 = 1e-5;

/// Output, mean, variance, and the gradients of maps, γ and β.
type Found = [Vec<f64>; 6];

fn normal<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || -> f64 { StandardNormal.sample(&mut rng) };
    let drawn: Vec<f64> = (0..shape.iter().product())
        .map(|_| 0.5 + 2.0 * one())
        .collect();
    Tensor::from_data(TensorData::new(drawn, shape), (device, DType::F64))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

fn run(
    ours: bool,
    (maps, gamma, beta): (&Tensor<4>, &Tensor<1>, &Tensor<1>),
    channels_last: bool,
) -> Found {
    let leaf = Tensor::from_inner(maps.clone()).require_grad();
    let [scale, shift] =
        [gamma, beta].map(|tensor| Tensor::from_inner(tensor.clone()).require_grad());
    let read = match channels_last {
        true => leaf.clone().permute([0, 3, 1, 2]),
        false => leaf.clone(),
    };
    let (output, mean, variance) = if ours {
        let found = batch_norm_train(read, scale.clone(), shift.clone(), EPSILON);
        (found.output, found.mean, found.variance)
    } else {
        let found = module::batch_norm_train(read, scale.clone(), shift.clone(), EPSILON);
        (found.output, found.mean, found.variance)
    };
    // A loss whose gradient differs from output to output and is not orthogonal to anything.
    let loss = (output.clone().tanh() * output.clone()).sum();
    let gradients = loss.backward();
    [
        values(output.inner()),
        values(mean.inner()),
        values(variance.inner()),
        values(leaf.grad(&gradients).expect("asked for")),
        values(scale.grad(&gradients).expect("asked for")),
        values(shift.grad(&gradients).expect("asked for")),
    ]
}

proptest! {
    /// Of Burn's in f64 on the same numbers: in f64 the same, in f32 nearer than twice what
    /// Burn's own f32 is off, or than 1e-5.
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn same_as_burns(
        shape in [1..5_usize, 1..6, 1..40, 1..40],
        channels_last in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let [b, c, h, w] = shape;
        let shape = if channels_last { [b, h, w, c] } else { shape };
        for device in [Device::flex(), Device::ndarray()] {
            let single = |tensor: Tensor<4>| tensor.cast(DType::F32);
            let maps = single(normal(shape, seed, &device));
            let gamma = normal([c], seed ^ 1, &device).cast(DType::F32);
            let beta = normal([c], seed ^ 2, &device).cast(DType::F32);
            let of = |ours, dtype| {
                let (maps, gamma, beta) =
                    (maps.clone().cast(dtype), gamma.clone().cast(dtype), beta.clone().cast(dtype));
                run(ours, (&maps, &gamma, &beta), channels_last)
            };
            let exact = of(false, DType::F64);
            let double = of(true, DType::F64);
            let [ours, burns] = [true, false].map(|ours| of(ours, DType::F32));
            for (quantity, exact) in exact.iter().enumerate() {
                // Gradients of γ and β are sums whose terms' rounding adds up like √n.
                let least = if quantity < 4 { 1.0 } else { ((b * h * w) as f64).sqrt() };
                let scale = exact.iter().fold(least, |a, b| a.max(b.abs()));
                let off = |found: &Found| {
                    let pairs = found[quantity].iter().zip(exact);
                    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale
                };
                prop_assert_eq!(double[quantity].len(), exact.len());
                prop_assert!(off(&double) <= 1e-11, "{}: {}", quantity, off(&double));
                let bound = (2.0 * off(&burns)).max(1e-5);
                prop_assert!(off(&ours) <= bound, "{}: {} of {}", quantity, off(&ours), bound);
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences(
        shape in [1..4_usize, 1..4, 2..5, 2..5],
        at in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let device = Device::flex();
        let maps = normal(shape, seed, &device);
        let gamma = normal([shape[1]], seed ^ 1, &device);
        let beta = normal([shape[1]], seed ^ 2, &device);
        let found = run(true, (&maps, &gamma, &beta), false);
        let loss = |maps: &Tensor<4>| -> f64 {
            let output = batch_norm_train(maps.clone(), gamma.clone(), beta.clone(), EPSILON).output;
            values((output.clone().tanh() * output).sum())[0]
        };
        let index = at.index(found[0].len());
        let step = 1e-5;
        let moved = |by: f64| {
            let mut moved = values(maps.clone());
            moved[index] += by;
            let data = TensorData::new(moved, shape);
            loss(&Tensor::from_data(data, (&device, DType::F64)))
        };
        let difference = (moved(step) - moved(-step)) / (2.0 * step);
        let scale = found[3].iter().fold(1.0_f64, |a, b| a.max(b.abs()));
        prop_assert!((difference - found[3][index]).abs() <= 1e-5 * scale, "{} and {}", difference, found[3][index]);
    }
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    let device = Device::flex();
    let maps = normal([7, 5, 33, 31], 3, &device).cast(DType::F32);
    let [gamma, beta] = [4, 5].map(|seed| normal([5], seed, &device).cast(DType::F32));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| run(true, (&maps, &gamma, &beta), false))
    };
    assert_eq!(with(1), with(3));
}
