//! The three ways to a spectrum agree, on random and on degenerate matrices.

mod common;

use burgeon_core::block::is_finite;
use burgeon_core::eigen::{
    CapturedOperator, GeneralNeurons, Method, RayleighDescent, Spectrum, SpectrumSolver,
    SplittingOperator, dense_spectra,
};
use burgeon_core::{CoreError, Curvature, CurvatureBlock, SiteInput, SplitBackend};
use burn::tensor::{DType, Tensor, TensorData};
use common::Plain;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    let options = (&Plain.device(), DType::F64);
    Tensor::from_data(TensorData::new(values, shape), options)
}

fn draws(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| StandardNormal.sample(&mut rng))
        .collect()
}

fn linear(x: Vec<f64>, [n, d]: [usize; 2], w: Vec<f64>, m: usize) -> Curvature {
    let block = CurvatureBlock {
        input: SiteInput::Rows(tensor(x, [n, d])),
        bias: false,
        weights: tensor(w, [n, m]),
    };
    Curvature::new("site", vec![block]).expect("sound")
}

fn solve(curvature: &Curvature, solver: &SpectrumSolver) -> Vec<Spectrum> {
    let operator = CapturedOperator::new(vec![curvature], &Plain);
    let mut found = solver
        .solve(&operator, curvature.rows(), DType::F64)
        .expect("solved");
    assert_eq!(found.len(), 1);
    found.remove(0).spectra
}

fn scale(spectrum: &Spectrum) -> f64 {
    spectrum.min.value.abs().max(spectrum.max.value.abs())
}

/// Random matrices of `m` neurons, their spectra, and what Krylov iterations find, with a basis that
/// is full after a dozen vectors or never.
fn by_krylov(
    [n, d, m]: [usize; 3],
    exponent: i32,
    tolerance: f64,
    small_basis: bool,
    seed: u64,
) -> (Vec<DMatrix<f64>>, Vec<Spectrum>, Vec<Spectrum>) {
    let size = 10_f64.powi(exponent);
    let x: Vec<f64> = draws(n * d, seed).iter().map(|v| v * size).collect();
    let curvature = linear(x, [n, d], draws(n * m, seed ^ 1), m);
    let matrices = curvature.dense(&Plain, DType::F64).expect("computed");
    let exact = dense_spectra("site", &matrices).expect("converged");
    // From a tolerance of 1e-5 on the basis is f32.
    let vector = m * d * if tolerance < 1e-5 { 8 } else { 4 };
    let budget = if small_basis { 12 * vector } else { 1 << 30 };
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(tolerance)
        .with_memory_budget(budget);
    let found = solve(&curvature, &solver);
    (matrices, exact, found)
}

/// Each pair's vector has norm 1 and its residual is that of the matrix, which no eigenvalue
/// is farther than.
fn check_pairs(found: &[Spectrum], matrices: &[DMatrix<f64>]) {
    for (spectrum, matrix) in found.iter().zip(matrices) {
        let all = matrix.clone().symmetric_eigenvalues();
        let rounding = 1e-12 * matrix.amax() * matrix.nrows() as f64;
        for pair in [&spectrum.min, &spectrum.max] {
            let v = DVector::from_column_slice(&pair.vector);
            assert!((v.norm() - 1.0).abs() < 1e-9, "{}", v.norm());
            let residual = (matrix * &v - &v * pair.value).norm();
            assert!((residual - pair.residual).abs() <= rounding + 1e-9 * residual);
            let nearest = all
                .iter()
                .map(|value| (value - pair.value).abs())
                .fold(f64::INFINITY, f64::min);
            assert!(nearest <= pair.residual + rounding, "{nearest} {pair:?}");
        }
        assert!(spectrum.min.value <= spectrum.max.value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn krylov_finds_the_ends_that_dense_finds(
        n in 1_usize..60,
        d in 1_usize..40,
        m in 1_usize..6,
        exponent in -6_i32..=6,
        tolerance in prop::sample::select(vec![1e-3, 1e-9]),
        small_basis in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (matrices, exact, found) = by_krylov([n, d, m], exponent, tolerance, small_basis, seed);
        check_pairs(&found, &matrices);
        for (found, exact) in found.iter().zip(&exact) {
            // f32 products leave a residual of their own.
            let allowed = 2.0 * tolerance * scale(exact);
            prop_assert!(found.min.residual <= allowed, "{:?}", found.min.residual / scale(exact));
            prop_assert!(found.max.residual <= allowed, "{:?}", found.max.residual / scale(exact));
            // A residual bounds the distance to some eigenvalue, the ends are within it.
            prop_assert!(found.min.value >= exact.min.value - allowed);
            prop_assert!((found.min.value - exact.min.value).abs() <= allowed);
            prop_assert!((found.max.value - exact.max.value).abs() <= allowed);
        }
    }

    /// Loose tolerances take Lanczos's own values, without products that verify.
    #[test]
    fn loose_tolerances_bound_what_they_found(
        n in 1_usize..60,
        d in 1_usize..40,
        m in 1_usize..6,
        exponent in -6_i32..=6,
        tolerance in prop::sample::select(vec![1e-2, 1e-1]),
        small_basis in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (matrices, exact, found) = by_krylov([n, d, m], exponent, tolerance, small_basis, seed);
        for ((found, exact), matrix) in found.iter().zip(&exact).zip(&matrices) {
            let all = matrix.clone().symmetric_eigenvalues();
            for pair in [&found.min, &found.max] {
                let v = DVector::from_column_slice(&pair.vector);
                prop_assert!((v.norm() - 1.0).abs() < 1e-9);
                let residual = (matrix * &v - &v * pair.value).norm();
                prop_assert!(residual <= pair.residual, "{residual} {}", pair.residual);
                let nearest = all.iter().map(|value| (value - pair.value).abs());
                let nearest = nearest.fold(f64::INFINITY, f64::min);
                prop_assert!(nearest <= pair.residual, "{nearest} {}", pair.residual);
                prop_assert!(pair.residual <= 1.1 * tolerance * scale(exact));
            }
            prop_assert!(found.min.value <= found.max.value);
        }
    }

    #[test]
    fn rayleigh_descent_comes_near_the_ends(d in 1_usize..8, m in 1_usize..4, seed in any::<u64>()) {
        let n = 64;
        let curvature = linear(draws(n * d, seed), [n, d], draws(n * m, seed ^ 1), m);
        let matrices = curvature.dense(&Plain, DType::F64).expect("computed");
        let exact = dense_spectra("site", &matrices).expect("converged");
        let settings = RayleighDescent {
            passes: 1500,
            decay_passes: 500,
            ..RayleighDescent::default()
        };
        let solver = SpectrumSolver::default()
            .with_method(Method::Rayleigh)
            .with_rayleigh(settings);
        let found = solve(&curvature, &solver);
        check_pairs(&found, &matrices);
        for (found, exact) in found.iter().zip(&exact) {
            let allowed = 0.05 * scale(exact);
            prop_assert!(found.min.value - exact.min.value <= allowed);
            prop_assert!(exact.max.value - found.max.value <= allowed);
        }
    }
}

#[test]
fn degenerate_matrices_have_the_same_spectra_by_all_ways() {
    // S = 0, d = 1, rank one, fewer rows than d, repeated eigenvalues, huge and tiny rows.
    let diagonal = |values: &[f64]| {
        let d = values.len();
        (0..d * d)
            .map(|i| {
                if i % (d + 1) == 0 {
                    values[i / (d + 1)]
                } else {
                    0.0
                }
            })
            .collect::<Vec<f64>>()
    };
    type Case = (&'static str, Vec<f64>, [usize; 2], Vec<f64>, [f64; 2]);
    let cases: Vec<Case> = vec![
        ("zero", vec![0.0; 6], [2, 3], vec![1.0, 1.0], [0.0, 0.0]),
        (
            "d = 1",
            vec![2.0, 1.0],
            [2, 1],
            vec![-1.0, 0.5],
            [-3.5, -3.5],
        ),
        (
            "rank one",
            vec![1.0, 2.0, 2.0],
            [1, 3],
            vec![-1.0],
            [-9.0, 0.0],
        ),
        (
            "fewer rows",
            vec![3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0],
            [2, 4],
            vec![1.0, -1.0],
            [-4.0, 9.0],
        ),
        (
            "repeated",
            diagonal(&[1.0, 1.0, 1.0]),
            [3, 3],
            vec![3.0; 3],
            [3.0, 3.0],
        ),
        (
            "repeated ends",
            diagonal(&[1.0; 4]),
            [4, 4],
            vec![-2.0, -2.0, 5.0, 5.0],
            [-2.0, 5.0],
        ),
        (
            "huge",
            diagonal(&[1e6, 2e6]),
            [2, 2],
            vec![-1.0, 1.0],
            [-1e12, 4e12],
        ),
        (
            "tiny",
            diagonal(&[1e-6, 2e-6]),
            [2, 2],
            vec![-1.0, 1.0],
            [-1e-12, 4e-12],
        ),
        (
            "beyond f32",
            diagonal(&[1e25, 2e25]),
            [2, 2],
            vec![-1.0, 1.0],
            [-1e50, 4e50],
        ),
        (
            "below f32",
            diagonal(&[1e-25, 2e-25]),
            [2, 2],
            vec![-1.0, 1.0],
            [-1e-50, 4e-50],
        ),
    ];
    for (name, x, shape, w, [least, most]) in cases {
        let curvature = linear(x, shape, w, 1);
        for method in [
            Method::Dense,
            Method::Krylov,
            Method::Rayleigh,
            Method::Auto,
        ] {
            let settings = RayleighDescent {
                passes: 3000,
                decay_passes: 500,
                ..RayleighDescent::default()
            };
            let solver = SpectrumSolver::default()
                .with_method(method)
                .with_rayleigh(settings);
            let found = &solve(&curvature, &solver)[0];
            let relative = if method == Method::Rayleigh {
                0.05
            } else {
                2e-6
            };
            let slack = relative * f64::max(f64::abs(least), most.abs());
            assert!(
                (found.min.value - least).abs() <= slack,
                "{name} {method}: {found:?}"
            );
            assert!(
                (found.max.value - most).abs() <= slack,
                "{name} {method}: {found:?}"
            );
            assert!(
                (found.min.value - least).abs()
                    <= found.min.residual + 1e-12 * slack.max(1e-300) / relative
            );
        }
    }
}

#[test]
fn overflow_is_an_error_that_names_the_site() {
    // Finite rows and weights whose products are not.
    let curvature = linear(vec![1e200, 1e200], [1, 2], vec![1.0], 1);
    for method in [Method::Dense, Method::Krylov, Method::Rayleigh] {
        let solver = SpectrumSolver::default().with_method(method);
        let operator = CapturedOperator::new(vec![&curvature], &Plain);
        let error = solver
            .solve(&operator, 1, DType::F64)
            .expect_err("not finite");
        assert!(matches!(error, CoreError::NonFinite { .. }), "{error}");
        assert!(error.to_string().contains("`site`"), "{error}");
    }
}

#[test]
fn values_are_finite_though_their_sum_is_not() {
    let finite = |values: Vec<f32>| {
        let count = values.len();
        let data = TensorData::new(values, [count]);
        is_finite(Tensor::<1>::from_data(data, (&Plain.device(), DType::F32)))
    };
    assert!(finite(vec![3e38, 3e38, -1.0]));
    assert!(finite(vec![0.0; 100]));
    assert!(!finite(vec![1.0, f32::NAN, 2.0]));
    assert!(!finite(vec![f32::INFINITY, 1.0]));
    assert!(!finite(vec![f32::INFINITY, f32::NEG_INFINITY]));
}

#[test]
fn settings_out_of_range_are_refused() {
    let curvature = linear(vec![1.0, 2.0], [1, 2], vec![1.0], 1);
    let operator = CapturedOperator::new(vec![&curvature], &Plain);
    let refused = |solver: SpectrumSolver| {
        let error = solver.solve(&operator, 1, DType::F64).expect_err("refused");
        error.to_string()
    };
    assert!(refused(SpectrumSolver::default().with_tolerance(0.0)).contains("tolerance"));
    assert!(refused(SpectrumSolver::default().with_tolerance(f64::NAN)).contains("tolerance"));
    assert!(refused(SpectrumSolver::default().with_max_iterations(0)).contains("max_iterations"));
    let dense = SpectrumSolver::default().with_method(Method::Dense);
    assert!(refused(dense.with_memory_budget(8)).contains("krylov"));
    let empty = linear(Vec::new(), [2, 0], vec![1.0, 1.0], 1);
    let operator = CapturedOperator::new(vec![&empty], &Plain);
    for method in [Method::Dense, Method::Krylov, Method::Rayleigh] {
        let solver = SpectrumSolver::default().with_method(method);
        let error = solver.solve(&operator, 2, DType::F64).expect_err("refused");
        assert!(matches!(error, CoreError::Shape { .. }), "{error}");
    }
    assert!("lanczos".parse::<Method>().is_err());
    assert_eq!("krylov".parse::<Method>(), Ok(Method::Krylov));
}

/// `g·(aᵀx)·s(bᵀx)` with θ = (a, b): value and gradient in θ.
fn gated(theta: &[f64], x: &[f64], g: f64) -> (f64, Vec<f64>) {
    let (a, b) = theta.split_at(x.len());
    let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    let (u, s) = (dot(a), 1.0 / (1.0 + (-dot(b)).exp()));
    let gate = x.iter().map(|x| g * s * x);
    let slope = x.iter().map(|x| g * u * s * (1.0 - s) * x);
    (g * u * s, gate.chain(slope).collect())
}

/// A gated linear unit is no `σ(θᵀx)`: its splitting matrix by differences of gradients
/// against the finite-difference Hessian of values.
#[test]
fn a_gated_unit_has_the_splitting_matrix_of_its_hessian() {
    let (n, d, m) = (12, 3, 4);
    let x = draws(n * d, 1);
    let g = draws(n * m, 2);
    let theta = DMatrix::from_vec(2 * d, m, draws(2 * d * m, 3));
    let value = |theta: &[f64], j: usize| -> f64 {
        let rows = x.chunks_exact(d).enumerate();
        rows.map(|(r, x)| gated(theta, x, g[r * m + j]).0).sum()
    };
    let gradient = |theta: &DMatrix<f64>| -> Result<DMatrix<f64>, CoreError> {
        let mut sums = DMatrix::zeros(2 * d, m);
        for j in 0..m {
            for (r, x) in x.chunks_exact(d).enumerate() {
                let (_, slope) = gated(theta.column(j).as_slice(), x, g[r * m + j]);
                for (i, s) in slope.into_iter().enumerate() {
                    sums[(i, j)] += s;
                }
            }
        }
        Ok(sums)
    };
    let neurons = GeneralNeurons::new("glu", theta.clone(), f64::EPSILON, gradient).expect("sound");
    let matrices = neurons.dense(0, DType::F64).expect("computed");
    let h = 1e-4;
    for (j, matrix) in matrices.iter().enumerate() {
        let at = |moves: [(usize, f64); 2]| {
            let mut theta: Vec<f64> = theta.column(j).iter().copied().collect();
            for (index, step) in moves {
                theta[index] += step;
            }
            value(&theta, j)
        };
        for a in 0..2 * d {
            for b in 0..2 * d {
                let corner = |p: f64, q: f64| at([(a, p * h), (b, q * h)]);
                let second =
                    corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0);
                let hessian = second / (4.0 * h * h);
                let bound = 1e-6 * matrix.amax();
                assert!(
                    (matrix[(a, b)] - hessian).abs() < bound,
                    "{a} {b}: {hessian} {matrix}"
                );
            }
        }
    }
    let krylov = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(1e-7);
    let found = krylov.solve(&neurons, n, DType::F64).expect("solved");
    let exact = dense_spectra("glu", &matrices).expect("converged");
    for (found, exact) in found[0].spectra.iter().zip(&exact) {
        assert!((found.min.value - exact.min.value).abs() <= 1e-6 * scale(exact));
        assert!((found.max.value - exact.max.value).abs() <= 1e-6 * scale(exact));
    }
    assert!(GeneralNeurons::new("glu", theta * f64::NAN, f64::EPSILON, gradient).is_err());
}
