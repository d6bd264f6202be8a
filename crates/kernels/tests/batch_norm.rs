//! Batch normalisation in training against Burn's own, and against finite differences.

use burgeon_kernels::batch_norm_train;
use burn::tensor::{DType, Device, Distribution, Shape, Tensor, module};
use proptest::prelude::*;

const EPSILON: f64 = 1e-5;

/// Output, mean, variance, and the gradients of maps, γ and β.
type Found = [Vec<f64>; 6];

fn normal<const D: usize>(shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    let normal = Distribution::Normal(0.5, 2.0);
    Tensor::random(Shape::new(shape), normal, (device, dtype))
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
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn same_as_burns(
        shape in [1..5_usize, 1..6, 1..40, 1..40],
        channels_last in any::<bool>(),
    ) {
        for device in [Device::flex(), Device::ndarray()] {
            for (dtype, bound) in [(DType::F32, 2e-5), (DType::F64, 1e-10)] {
                let [b, c, h, w] = shape;
                let shape = if channels_last { [b, h, w, c] } else { shape };
                let maps = normal(shape, &device, dtype);
                let (gamma, beta) = (normal([c], &device, dtype), normal([c], &device, dtype));
                let ours = run(true, (&maps, &gamma, &beta), channels_last);
                let burns = run(false, (&maps, &gamma, &beta), channels_last);
                for (ours, burns) in ours.iter().zip(&burns) {
                    let scale = burns.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
                    prop_assert_eq!(ours.len(), burns.len());
                    for (a, b) in ours.iter().zip(burns) {
                        prop_assert!((a - b).abs() <= bound * scale, "{} and {}, of {}", a, b, scale);
                    }
                }
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences(
        shape in [1..4_usize, 1..4, 2..5, 2..5],
        at in any::<prop::sample::Index>(),
    ) {
        let device = Device::flex();
        let maps = normal(shape, &device, DType::F64);
        let gamma = normal([shape[1]], &device, DType::F64);
        let beta = normal([shape[1]], &device, DType::F64);
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
            let data = burn::tensor::TensorData::new(moved, shape);
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
    let maps = normal([7, 5, 33, 31], &device, DType::F32);
    let (gamma, beta) = (
        normal([5], &device, DType::F32),
        normal([5], &device, DType::F32),
    );
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| run(true, (&maps, &gamma, &beta), false))
    };
    assert_eq!(with(1), with(3));
}
