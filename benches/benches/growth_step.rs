//! A whole growth step in units of a training epoch of the same network, with one thread
//! and with two.

use std::hint::black_box;

use burgeon_backend_flex::Flex;
use burgeon_benches::measure::{at_most, bench, ratio};
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits, noise};
use burgeon_core::criterion::{Criterion as _, SteepestDescent};
use burgeon_core::eigen::SpectrumSolver;
use burgeon_core::select::{Fraction, Selector};
use burgeon_core::{Budget, Plan, SplitBackend};
use burgeon_nn::grower::line_search;
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    CrossEntropy, Growable, Grower, GrowerConfig, LearningRate, Samples, SpectrumConfig, Task,
    Trigger, capture_spectra,
};
use burn::optim::AdamConfig;
use criterion::{Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// glibc's allocator hands freed maps back to the kernel and takes them anew, by sizes that differ
/// between an epoch and a growth step; this one keeps them for both.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Digits in the training set.
const SAMPLES: usize = 1437;

/// Activations of all layers that an evaluation holds at once, about.
const ACTIVATIONS: usize = 1 << 20;

/// Samples that are evaluated at once, at most.
const EVALUATED: usize = 512;

/// Samples that are captured, of which [`ROWS`] rows are drawn: all of them, or a part.
const CAPTURED: [usize; 2] = [SAMPLES, 256];

/// Samples of one pass of the capture.
const CAPTURED_AT_ONCE: usize = 256;

/// Rows of each site, of all samples and positions, on which spectra are estimated.
const ROWS: usize = 512;

/// Relative residual of the spectra's ends.
const TOLERANCE: f64 = 1e-2;

/// GroMo 0.1.0's growth step in epochs, one thread, as it was measured for this project.
const GROMO: [f64; 4] = [2.7, 2.6, 12.0, 21.0];

fn epoch<M: Growable>(model: &M, samples: &Samples<M::Input>) {
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
    grower.expect("sound").run().expect("runs");
}

/// Capture of some samples, both ends of the spectra, selection, a four-point line search over the training
/// set, surgery.
fn growth_step<M: Growable>(
    model: &M,
    samples: &Samples<M::Input>,
    captured: usize,
    evaluated: usize,
) {
    let solver = SpectrumSolver::default().with_tolerance(TOLERANCE);
    let spectrum = SpectrumConfig::default()
        .with_solver(solver)
        .with_rows(ROWS);
    let captured = samples.sample(captured, 0);
    let found = capture_spectra(
        model,
        &CrossEntropy,
        &captured,
        CAPTURED_AT_ONCE,
        &spectrum,
        &Flex,
    );
    let found = found.expect("captured");
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let candidates = SteepestDescent.candidates(&found, &Flex, &mut rng);
    let budget = Budget {
        neurons: found.neurons(),
        room: None,
    };
    let selector = Fraction::new(0.3).expect("in range");
    let chosen = selector
        .select(candidates.expect("computes"), budget)
        .expect("selects");
    let plan = Plan::new("s2d", chosen);
    let grid = [1.0, 0.5, 0.25, 0.125];
    let search = line_search(model, &plan, &grid, &CrossEntropy, samples, evaluated);
    let epsilon = search
        .expect("computes")
        .best
        .map_or(0.0, |(epsilon, _)| epsilon);
    let topology = model.topology().expect("fits");
    black_box(apply_plan(model, &topology, &plan, epsilon).expect("fits"));
}

fn net<M: Growable + Sync>(
    c: &mut Criterion,
    index: usize,
    name: &str,
    model: &M,
    samples: &Samples<M::Input>,
    activations: usize,
) {
    let evaluated = (ACTIVATIONS / activations).clamp(1, EVALUATED);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let mut group = c.benchmark_group(format!("{name}, threads {threads}"));
        group.sample_size(10);
        let epoch = bench(&mut group, "epoch", || {
            pool.install(|| epoch(model, samples))
        });
        let steps = CAPTURED.map(|captured| {
            let name = format!("growth step, {captured} samples captured");
            bench(&mut group, &name, || {
                pool.install(|| growth_step(model, samples, captured, evaluated));
            })
        });
        group.finish();
        for (captured, step) in CAPTURED.into_iter().zip(steps) {
            let what = format!(
                "{name}, threads {threads}, {captured} samples captured: growth step / epoch \
                 (GroMo, one thread: {})",
                GROMO[index]
            );
            at_most(&what, 1.5, ratio(step, epoch));
        }
    }
}

fn growth_steps(c: &mut Criterion) {
    let plain = Flex.device();
    let device = plain.clone().autodiff();
    let rows = digits(SAMPLES, &plain).expect("embedded");
    for (index, neurons) in [16, 128].into_iter().enumerate() {
        let name = format!("MLP 64-{neurons}-10 on digits");
        let model = Mlp::new([64, neurons], &device).expect("sound");
        net(c, index, &name, &model, &rows, 64 + neurons);
    }
    let images = digit_images(SAMPLES, &plain).expect("embedded");
    let model = ConvNet::two([1, 32, 16], &device).expect("sound");
    let name = "convolutions 1-32-16 on digits";
    net(c, 2, name, &model, &images, 64 * (1 + 32 + 16));
    let noise = noise([SAMPLES, 64, 8], &plain).expect("sound");
    let model = ConvNet::two([64, 64, 16], &device).expect("sound");
    let name = "convolutions 64-64-16 on noise";
    net(c, 3, name, &model, &noise, 64 * (64 + 64 + 16));
}

criterion_group!(benches, growth_steps);
criterion_main!(benches);
