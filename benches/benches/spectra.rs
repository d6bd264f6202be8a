//! Both ends of every neuron's spectrum: the matrix-free path against the dense ones.

use std::hint::black_box;

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_benches::measure::{at_least, bench, bench_part, ratio};
use burgeon_benches::{random_block, random_maps_block};
use burgeon_core::eigen::{CapturedOperator, Method, SpectrumSolver};
use burgeon_core::{Curvature, CurvatureBlock, SplitBackend};
use burn::tensor::DType;
use criterion::{Criterion, criterion_group, criterion_main};
use nalgebra::SymmetricEigen;

/// Relative residual of both pairs.
const TOLERANCE: f64 = 1e-3;

/// Neurons of which nalgebra decomposes the matrices, whose time stands for all.
const DECOMPOSED: usize = 8;

fn solve(curvature: &Curvature, backend: &dyn SplitBackend, method: Method) {
    let solver = SpectrumSolver::default()
        .with_method(method)
        .with_tolerance(TOLERANCE)
        .with_memory_budget(4 << 30);
    let operator = CapturedOperator::new(vec![curvature], backend);
    let spectra = solver.solve(&operator, curvature.rows(), DType::F64);
    black_box(spectra.expect("computes"));
}

fn site(c: &mut Criterion, name: &str, block: impl Fn(&dyn SplitBackend) -> CurvatureBlock) {
    let mut group = c.benchmark_group(format!("both ends of the spectra, {name}"));
    group.sample_size(10);
    let curvature = Curvature::new("site", vec![block(&FLEX)]).expect("sound");
    let krylov = bench(&mut group, "krylov, flex", || {
        solve(&curvature, &FLEX, Method::Krylov)
    });
    let other = Curvature::new("site", vec![block(&NDARRAY)]).expect("sound");
    bench(&mut group, "krylov, ndarray", || {
        solve(&other, &NDARRAY, Method::Krylov)
    });
    let dense = bench(&mut group, "dense (faer), flex", || {
        solve(&curvature, &FLEX, Method::Dense)
    });
    let build = bench(&mut group, "dense matrices alone, flex", || {
        black_box(curvature.dense(&FLEX, DType::F64).expect("computes"));
    });
    let matrices = curvature.dense(&FLEX, DType::F64).expect("computes");
    let parts = u32::try_from(matrices.len() / DECOMPOSED).expect("few");
    let name = format!(
        "nalgebra, one thread, {DECOMPOSED} of {} neurons, scaled up",
        matrices.len()
    );
    let nalgebra = bench_part(&mut group, &name, parts, || {
        for matrix in &matrices[..DECOMPOSED] {
            black_box(SymmetricEigen::new(matrix.clone()));
        }
    });
    group.finish();
    let plain = build
        .zip(nalgebra)
        .map(|(build, nalgebra)| build + nalgebra);
    at_least(
        "dense matrices and nalgebra / krylov",
        20.0,
        ratio(plain, krylov),
    );
    at_least("best dense path / krylov", 5.0, ratio(dense, krylov));
}

fn convolution(c: &mut Criterion) {
    site(
        c,
        "convolution 64→64, 3×3 (d 576), 4096 rows",
        |backend| random_maps_block(backend, [64, 64, 8], 64),
    );
}

fn linear(c: &mut Criterion) {
    site(c, "linear 784→256, 2048 rows", |backend| {
        random_block(backend, 2048, 784, 256)
    });
}

criterion_group!(benches, convolution, linear);
criterion_main!(benches);
