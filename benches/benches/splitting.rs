//! Splitting matrices against plain loops, and where one eigen-solver overtakes the other.
//! Read ratios within one run, not milliseconds.

use std::hint::black_box;

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_benches::measure::{bench, ratio};
use burgeon_benches::random_block;
use burgeon_core::{Curvature, CurvatureBlock, SiteInput, SplitBackend};
use burn::tensor::DType;
use criterion::{Criterion, criterion_group, criterion_main};
use faer::{MatRef, Side};
use nalgebra::{DMatrix, SymmetricEigen};

const ROWS: usize = 1024;
const DIM: usize = 64;
const NEURONS: usize = 64;

/// The definition, one rank-one update at a time.
fn plain_loops(block: &CurvatureBlock) -> Vec<DMatrix<f64>> {
    let SiteInput::Rows(x) = &block.input else {
        unreachable!("the block is of a linear site");
    };
    let x: Vec<f64> = x.clone().try_into_vec_as().expect("on the host");
    let w: Vec<f64> = block
        .weights
        .clone()
        .try_into_vec_as()
        .expect("on the host");
    (0..NEURONS)
        .map(|j| {
            let mut sum = DMatrix::zeros(DIM, DIM);
            for r in 0..ROWS {
                let row = &x[r * DIM..(r + 1) * DIM];
                for a in 0..DIM {
                    for b in 0..DIM {
                        sum[(a, b)] += w[r * NEURONS + j] * row[a] * row[b];
                    }
                }
            }
            sum
        })
        .collect()
}

fn matrices(c: &mut Criterion) {
    let mut group = c.benchmark_group("splitting matrices, n 1024, d 64, M 64");
    group.sample_size(10);
    let block = random_block(&FLEX, ROWS, DIM, NEURONS);
    group.bench_function("plain loops", |b| b.iter(|| plain_loops(black_box(&block))));
    let backends: [&dyn SplitBackend; 2] = [&FLEX, &NDARRAY];
    for backend in backends {
        let block = random_block(backend, ROWS, DIM, NEURONS);
        let curvature = Curvature::new("site", vec![block]).expect("sound");
        group.bench_function(backend.name(), |b| {
            b.iter(|| curvature.dense(backend, DType::F64).expect("computes"));
        });
        let directions = DMatrix::from_element(DIM, NEURONS, 0.125);
        group.bench_function(
            format!("{}, one matrix-free product", backend.name()),
            |b| {
                b.iter(|| {
                    curvature
                        .apply(backend, &directions, DType::F32)
                        .expect("computes")
                });
            },
        );
    }
    group.finish();
}

/// Full decompositions of one splitting matrix, one thread: the crossover in
/// `burgeon_core::eigen`.
fn decompositions(c: &mut Criterion) {
    for dim in [27, 64, 96, 128, 144, 288] {
        let mut group = c.benchmark_group(format!("eigen-decomposition, f64, d {dim}"));
        group.sample_size(20);
        let curvature = Curvature::new("site", vec![random_block(&FLEX, ROWS, dim, 1)]);
        let dense = curvature.expect("sound").dense(&FLEX, DType::F64);
        let matrix = &dense.expect("computes")[0];
        let nalgebra = bench(&mut group, "nalgebra", || {
            black_box(SymmetricEigen::new(matrix.clone()));
        });
        let faer = bench(&mut group, "faer", || {
            let view = MatRef::from_column_major_slice(matrix.as_slice(), dim, dim);
            black_box(view.self_adjoint_eigen(Side::Lower).expect("converges"));
        });
        if let Some(ratio) = ratio(nalgebra, faer) {
            println!("d {dim}: nalgebra takes {ratio:.2} times as long as faer");
        }
        group.finish();
    }
}

criterion_group!(benches, matrices, decompositions);
criterion_main!(benches);
