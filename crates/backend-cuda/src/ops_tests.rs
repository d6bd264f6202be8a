//! The kernels against plain loops, on the runtimes of this build that exist without a GPU.

use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::kernels::LARGEST;
use crate::ops::{symmetric_eigen, weighted_gram, weighted_products};
use crate::runtime::Runtime;

/// Of wgpu, for which Mesa's lavapipe needs no GPU, and of the processors.
fn devices() -> Vec<Device> {
    let built = [
        (Runtime::Wgpu, cfg!(feature = "wgpu")),
        (Runtime::Cpu, cfg!(feature = "cpu")),
    ];
    let built = built.into_iter().filter(|(_, built)| *built);
    let open = |(runtime, _): (Runtime, bool)| match runtime.open(0) {
        Ok(device) => device,
        Err(error) => unreachable!("these tests need a device of {runtime}: {error}"),
    };
    built.map(open).collect()
}

fn draw(count: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || -> f32 { StandardNormal.sample(&mut rng) };
    (0..count).map(|_| one() * scale).collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (device, DType::F32))
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

fn assert_close(found: &[f64], expected: &[f64], bound: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = expected
        .iter()
        .fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= bound * scale,
            "entry {at}: {a} instead of {b}, of {scale}"
        );
    }
}

/// One row, one neuron, d = 1, and sizes at and around those of tiles.
fn sizes() -> impl Strategy<Value = [usize; 3]> {
    let size = |most: usize| prop_oneof![1 => Just(1), 1 => prop_oneof![Just(15), Just(16), Just(17)], 3 => 1..most];
    (size(1200), size(140), size(40)).prop_map(|(n, d, m)| [n, d, m])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn grams_and_products_are_those_of_plain_loops(
        [n, d, m] in sizes(), seed in 0_u64..1000, scale in prop_oneof![Just(1.0_f32), Just(1e5)],
    ) {
        let (x, w) = (draw(n * d, seed, scale), draw(n * m, seed + 1, scale));
        let v = draw(m * d, seed + 2, 1.0);
        let mut matrices = vec![0.0; m * d * d];
        let mut products = vec![0.0; m * d];
        for r in 0..n {
            let row: Vec<f64> = x[r * d..(r + 1) * d].iter().map(|x| f64::from(*x)).collect();
            for j in 0..m {
                let weight = f64::from(w[r * m + j]);
                let along: f64 = (0..d).map(|i| row[i] * f64::from(v[j * d + i])).sum();
                for i in 0..d {
                    products[j * d + i] += weight * along * row[i];
                    for k in 0..d {
                        matrices[(j * d + i) * d + k] += weight * row[i] * row[k];
                    }
                }
            }
        }
        for device in devices() {
            let (x, w) = (tensor(&x, [n, d], &device), tensor(&w, [n, m], &device));
            let found = weighted_gram(x.clone().unsqueeze_dim(0), w.clone());
            prop_assert_eq!(found.dims(), [m, d, d]);
            assert_close(&host(found), &matrices, 1e-5);
            let found = weighted_products(x, w, tensor(&v, [m, d], &device));
            prop_assert_eq!(found.dims(), [m, d]);
            assert_close(&host(found), &products, 1e-5);
        }
    }

    #[test]
    fn grams_of_rows_of_their_own_and_of_transposed_tensors(
        n in 1_usize..60, d in 1_usize..30, m in 1_usize..6, seed in 0_u64..1000,
    ) {
        let (x, w) = (draw(m * n * d, seed, 1.0), draw(n * m, seed + 1, 1.0));
        let mut matrices = vec![0.0; m * d * d];
        for (j, rows) in x.chunks_exact(n * d).enumerate() {
            for (r, row) in rows.chunks_exact(d).enumerate() {
                for i in 0..d {
                    for k in 0..d {
                        let term = f64::from(w[j * n + r]) * f64::from(row[i]) * f64::from(row[k]);
                        matrices[(j * d + i) * d + k] += term;
                    }
                }
            }
        }
        for device in devices() {
            // Weights lie neuron by neuron, so the kernel must not read them as they lie.
            let weights = tensor(&w, [m, n], &device).transpose();
            let found = weighted_gram(tensor(&x, [m, n, d], &device), weights);
            assert_close(&host(found), &matrices, 1e-5);
        }
    }

    #[test]
    fn small_decompositions_are_orthogonal_and_put_the_matrix_together(
        size in 1..=LARGEST, batch in 1_usize..5, seed in 0_u64..1000,
        scale in prop_oneof![Just(1.0_f32), Just(1e-6), Just(1e6)],
    ) {
        let drawn = draw(batch * size * size, seed, scale);
        let at = |b: usize, i: usize, j: usize| drawn[(b * size + i) * size + j];
        let mut matrices = Vec::new();
        for b in 0..batch {
            for i in 0..size {
                matrices.extend((0..size).map(|j| (at(b, i, j) + at(b, j, i)) / 2.0));
            }
        }
        check_decomposition(&matrices, batch, size);
    }
}

fn check_decomposition(matrices: &[f32], batch: usize, size: usize) {
    for device in devices() {
        decompose(tensor(matrices, [batch, size, size], &device), matrices);
    }
}

/// Decomposes `tensor` `[batch, size, size]`, which holds `matrices`.
fn decompose(tensor: Tensor<3>, matrices: &[f32]) {
    let [batch, size, _] = tensor.dims();
    let (values, vectors) = symmetric_eigen(tensor);
    let (values, vectors) = (host(values), host(vectors));
    let mut together = vec![0.0; batch * size * size];
    let mut grams = together.clone();
    let mut unit = together.clone();
    for b in 0..batch {
        let of = |e: usize| &vectors[(b * size + e) * size..(b * size + e + 1) * size];
        for e in 0..size {
            assert!(
                e == 0 || values[b * size + e - 1] <= values[b * size + e],
                "not ascending"
            );
            unit[(b * size + e) * size + e] = 1.0;
            for i in 0..size {
                for j in 0..size {
                    together[(b * size + i) * size + j] +=
                        values[b * size + e] * of(e)[i] * of(e)[j];
                }
                let product = of(e).iter().zip(of(i)).map(|(a, b)| a * b).sum::<f64>();
                grams[(b * size + e) * size + i] = product;
            }
        }
    }
    let matrices: Vec<f64> = matrices.iter().map(|x| f64::from(*x)).collect();
    assert_close(&together, &matrices, 1e-5);
    assert_close(&grams, &unit, 1e-5);
}

#[test]
fn decompositions_of_special_matrices() {
    let size = 7;
    let diagonal = |value: fn(usize) -> f32| -> Vec<f32> {
        let entry = |at: usize| {
            if at / size == at % size {
                value(at % size)
            } else {
                0.0
            }
        };
        (0..size * size).map(entry).collect()
    };
    check_decomposition(&diagonal(|_| 0.0), 1, size);
    check_decomposition(&diagonal(|_| -2.0), 1, size);
    check_decomposition(&diagonal(|i| if i % 2 == 0 { 3.0 } else { -3.0 }), 1, size);
    let rank_one: Vec<f32> = (0..size * size)
        .map(|at| ((at / size + 1) * (at % size + 1)) as f32)
        .collect();
    check_decomposition(&rank_one, 1, size);
}
