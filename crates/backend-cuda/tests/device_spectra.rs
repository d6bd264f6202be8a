//! Krylov iterations that stay on the device, against full decompositions on the host.
#![cfg(any(feature = "wgpu", feature = "cpu"))]

use burgeon_backend_cuda::{CubeDevice, Runtime};
use burgeon_core::eigen::{CapturedOperator, dense_spectra};
use burgeon_core::{
    CoreError, Curvature, CurvatureBlock, Method, SiteInput, SpectrumSolver, SplitBackend, Window,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Of wgpu, for which Mesa's lavapipe needs no GPU, and of the processors.
fn devices() -> Vec<CubeDevice> {
    let built = [
        (Runtime::Wgpu, cfg!(feature = "wgpu")),
        (Runtime::Cpu, cfg!(feature = "cpu")),
    ];
    let built = built.into_iter().filter(|(_, built)| *built);
    let open = |(runtime, _)| CubeDevice::open(runtime, 0).expect("the runtime's device");
    built.map(open).collect()
}

fn draw(count: usize, seed: u64, scale: f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || -> f64 { StandardNormal.sample(&mut rng) };
    (0..count).map(|_| one() * scale).collect()
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

/// A linear block of inputs `[n, d]` and weights `[n, m]`.
fn linear(x: Vec<f64>, w: Vec<f64>, [n, d, m]: [usize; 3], device: &Device) -> CurvatureBlock {
    CurvatureBlock {
        input: SiteInput::Rows(tensor(x, [n, d], device)),
        bias: false,
        weights: tensor(w, [n, m], device),
    }
}

/// Compares with the host's full decomposition: each end within the residual, a bound on the
/// rounding of f32 sums, and what the iteration may leave.
fn check(device: &CubeDevice, blocks: Vec<CurvatureBlock>, tolerance: f64) {
    let curvature = Curvature::new("site", blocks).expect("captured");
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(tolerance);
    let operator = CapturedOperator::new(vec![&curvature], device);
    let found = solver
        .solve(&operator, curvature.rows(), DType::F32)
        .expect("solved");
    let dense = curvature.dense(device, DType::F32).expect("computed");
    let exact = dense_spectra("site", &dense).expect("converged");
    assert_eq!(found[0].method, Method::Krylov);
    assert_eq!(found[0].spectra.len(), exact.len());
    for (found, exact) in found[0].iter().zip(&exact) {
        let scale = exact.min.value.abs().max(exact.max.value.abs());
        for (found, exact) in [(&found.min, &exact.min), (&found.max, &exact.max)] {
            let rounding = 2e-5 * scale;
            assert!(
                found.residual <= (1.5 * tolerance).mul_add(scale, rounding),
                "{found:?} at scale {scale}"
            );
            let apart = (found.value - exact.value).abs();
            assert!(
                apart <= found.residual + rounding,
                "{} and {}",
                found.value,
                exact.value
            );
            let norm: f64 = found.vector.iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-9, "norm² {norm}");
        }
    }
}

#[test]
fn linear_sites_of_many_sizes() {
    for cube in devices() {
        let device = cube.device();
        for [n, d, m] in [
            [200, 40, 7],
            [700, 70, 5],
            [33, 7, 3],
            [9, 1, 4],
            [5, 12, 2],
            [64, 33, 1],
        ] {
            let block = linear(draw(n * d, 3, 1.0), draw(n * m, 4, 1.0), [n, d, m], &device);
            check(&cube, vec![block], 1e-3);
        }
    }
}

#[test]
fn a_space_larger_than_the_basis_restarts() {
    for cube in devices() {
        let device = cube.device();
        // A flat spectrum converges slowly: 32 basis vectors do not reach 1e-4 here.
        let [n, d, m] = [3000, 200, 2];
        let block = linear(draw(n * d, 5, 1.0), draw(n * m, 6, 1.0), [n, d, m], &device);
        check(&cube, vec![block], 1e-4);
    }
}

#[test]
fn blocks_add_up_and_scales_do_not_matter() {
    for cube in devices() {
        let device = cube.device();
        for scale in [1e-6, 1.0, 1e6] {
            let block = |seed| {
                let [n, d, m] = [50, 21, 4];
                linear(
                    draw(n * d, seed, 1.0),
                    draw(n * m, seed + 1, scale),
                    [n, d, m],
                    &device,
                )
            };
            check(&cube, vec![block(7), block(9)], 1e-3);
        }
    }
}

#[test]
fn convolutions_and_depthwise_filters() {
    for cube in devices() {
        let device = cube.device();
        let window = Window {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [[1, 1]; 2],
            dilation: [1, 1],
        };
        let maps = || tensor(draw(4 * 5 * 36, 11, 1.0), [4, 5, 6, 6], &device);
        let block = |input, m| CurvatureBlock {
            input,
            bias: true,
            weights: tensor(draw(4 * 36 * m, 12, 1.0), [4 * 36, m], &device),
        };
        check(&cube, vec![block(SiteInput::Maps(maps(), window), 6)], 1e-3);
        check(
            &cube,
            vec![block(SiteInput::ChannelMaps(maps(), window), 5)],
            1e-3,
        );
    }
}

#[test]
fn degenerate_matrices() {
    for cube in devices() {
        let device = cube.device();
        let [n, d, m] = [40, 36, 3];
        // S = 0.
        check(
            &cube,
            vec![linear(
                draw(n * d, 13, 1.0),
                vec![0.0; n * m],
                [n, d, m],
                &device,
            )],
            1e-3,
        );
        // Rank one.
        check(
            &cube,
            vec![linear(
                draw(d, 14, 1.0),
                vec![0.5, -2.0, 3.0],
                [1, d, m],
                &device,
            )],
            1e-3,
        );
        // A multiple of the identity, another for each neuron.
        let unit: Vec<f64> = (0..d * d)
            .map(|at| f64::from(u8::from(at / d == at % d)))
            .collect();
        let weights = (0..d).flat_map(|_| [0.5, -2.0, 3.0]).collect();
        check(&cube, vec![linear(unit, weights, [d, d, m], &device)], 1e-3);
        // Two eigenvalues, each many times.
        let unit: Vec<f64> = (0..d * d)
            .map(|at| f64::from(u8::from(at / d == at % d)))
            .collect();
        let weights = (0..d)
            .flat_map(|row| [if row % 2 == 0 { 1.0 } else { -1.0 }; 3])
            .collect();
        check(&cube, vec![linear(unit, weights, [d, d, m], &device)], 1e-3);
    }
}

#[test]
fn a_nan_names_the_site() {
    for cube in devices() {
        let device = cube.device();
        let mut x = draw(40, 15, 1.0);
        x[3] = f64::NAN;
        let block = linear(x, draw(10, 16, 1.0), [10, 4, 1], &device);
        let error = Curvature::new("hidden", vec![block]).unwrap_err();
        assert!(
            matches!(&error, CoreError::NonFinite { site, .. } if site == "hidden"),
            "{error}"
        );
    }
}

#[test]
fn an_overflow_names_the_site() {
    for device in devices() {
        let block = linear(
            draw(400, 15, 1e25),
            draw(100, 16, 1e10),
            [10, 40, 10],
            &device.device(),
        );
        let curvature = Curvature::new("hidden", vec![block]).expect("finite numbers");
        let operator = CapturedOperator::new(vec![&curvature], &device);
        let solver = SpectrumSolver::default().with_method(Method::Krylov);
        let error = solver.solve(&operator, 10, DType::F32).unwrap_err();
        assert!(
            matches!(&error, CoreError::NonFinite { site, .. } if site == "hidden"),
            "{error}"
        );
    }
}
