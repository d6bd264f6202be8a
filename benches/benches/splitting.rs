//! Splitting matrices and spectra against plain loops, and a growth step against a
//! training epoch. Read ratios within one run, not milliseconds.

use std::hint::black_box;

use burgeon_backend_flex::Flex;
use burgeon_backend_ndarray::NdArray;
use burgeon_benches::{DigitMlp, digits, random_block};
use burgeon_core::criterion::{Criterion as _, SteepestDescent};
use burgeon_core::eigen::dense_spectra;
use burgeon_core::select::{Fraction, Selector};
use burgeon_core::{Budget, Curvature, CurvatureBlock, Plan, SiteInput, SplitBackend};
use burgeon_nn::capture::capture;
use burgeon_nn::grower::line_search;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{CrossEntropy, Growable, Grower, GrowerConfig, LearningRate, Task, Trigger};
use burn::optim::AdamConfig;
use burn::tensor::DType;
use criterion::{Criterion, criterion_group, criterion_main};
use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

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
    let block = random_block(&Flex, ROWS, DIM, NEURONS);
    group.bench_function("plain loops", |b| b.iter(|| plain_loops(black_box(&block))));
    let backends: [&dyn SplitBackend; 2] = [&Flex, &NdArray];
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

fn spectra(c: &mut Criterion) {
    let mut group = c.benchmark_group("both ends of 64 spectra, nalgebra");
    group.sample_size(10);
    for dim in [16, 64, 144] {
        let block = random_block(&Flex, ROWS, dim, NEURONS);
        let curvature = Curvature::new("site", vec![block]).expect("sound");
        let dense = curvature.dense(&Flex, DType::F64).expect("computes");
        group.bench_function(format!("d {dim}"), |b| {
            b.iter(|| dense_spectra("site", black_box(&dense)).expect("converges"));
        });
    }
    group.finish();
}

/// A growth step (capture, spectra, selection, four-point line search over the training
/// set, surgery) beside an epoch of the same network.
fn growth_step(c: &mut Criterion) {
    let device = Flex.device();
    let samples = digits(1437, &device).expect("embedded");
    let mut group = c.benchmark_group("digits, 1437 samples, batch 128");
    group.sample_size(10);
    for neurons in [16, 128] {
        let model = DigitMlp::new(neurons, &device.clone().autodiff()).expect("sound");
        group.bench_function(format!("epoch, 64-{neurons}-10"), |b| {
            b.iter(|| {
                let selector = Fraction::new(0.3).expect("in range");
                let config = GrowerConfig::new(SteepestDescent, selector)
                    .with_trigger(Trigger::Every { epochs: 1 })
                    .with_learning_rate(LearningRate::Constant(1e-3))
                    .with_max_growths(0)
                    .with_max_epochs(1);
                let task = Task {
                    objective: Box::new(CrossEntropy),
                    train: samples.clone(),
                    held: samples.sample(1, 0),
                };
                let optimizer = AdamConfig::new().init();
                let grower = Grower::new(config, Flex, task, model.clone(), optimizer);
                grower.expect("sound").run().expect("runs")
            });
        });
        group.bench_function(format!("growth step, 64-{neurons}-10"), |b| {
            b.iter(|| {
                let found = capture(&model, &CrossEntropy, &samples, 512, true).expect("captured");
                let mut rng = ChaCha8Rng::seed_from_u64(0);
                let candidates = SteepestDescent
                    .candidates(&found, &Flex, &mut rng)
                    .expect("computes");
                let budget = Budget {
                    neurons: found.neurons(),
                    room: None,
                };
                let selector = Fraction::new(0.3).expect("in range");
                let plan = Plan::new("s2d", selector.select(candidates, budget));
                let grid = [1.0, 0.5, 0.25, 0.125];
                let search = line_search(&model, &plan, &grid, &CrossEntropy, &samples, 512)
                    .expect("computes");
                let epsilon = search.best.map_or(0.0, |(epsilon, _)| epsilon);
                let topology = model.topology().expect("fits");
                apply_plan(&model, &topology, &plan, epsilon).expect("fits")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, matrices, spectra, growth_step);
criterion_main!(benches);
