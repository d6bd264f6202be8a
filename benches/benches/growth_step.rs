//! A whole growth step in units of a training epoch of the same network, with one thread
//! and with two.

use std::hint::black_box;

use burgeon_backend_flex::FLEX;
use burgeon_benches::measure::{at_most, bench, ratio};
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits, noise};
use burgeon_core::criterion::{Criterion as _, SteepestDescent};
use burgeon_core::eigen::{Method, SpectrumSolver};
use burgeon_core::select::{Fraction, Selector};
use burgeon_core::{Budget, Plan, SplitBackend};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{
    CrossEntropy, Growable, Grower, GrowerConfig, LearningRate, Samples, SpectrumConfig, Task,
    Trigger, capture_with_passes,
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

/// Activations of all layers that a pass holds at once, about.
const ACTIVATIONS: usize = 3 << 18;

/// Samples of a pass of the capture and of the line search, at most.
const AT_ONCE: usize = 720;

/// Products by which both ends of the spectra are found; more do not add to what a growth gains
/// (`cargo bench --bench row_samples`).
const PRODUCTS: usize = 4;

/// Relative residual at which a neuron is done before that. It is above 1e-3, so residuals are the
/// iteration's own.
const TOLERANCE: f64 = 1e-2;

/// Rows of a site, drawn by what they can add to the splitting matrices: of linear layers, and of
/// convolutions, which have 64 times as many. Fewer lower what a growth gains.
const ROWS: [usize; 2] = [1024, 6144];

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
    let grower = Grower::new(config, FLEX, task, model.clone(), optimizer);
    grower.expect("sound").run().expect("runs");
}

/// Capture of all samples, both ends of the spectra, selection, a four-point line search over
/// the training set, which starts from the capture's forward passes, surgery.
fn growth_step<M: Growable>(model: &M, samples: &Samples<M::Input>, rows: usize, at_once: usize) {
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(TOLERANCE)
        .with_max_iterations(PRODUCTS);
    let spectrum = SpectrumConfig::default()
        .with_solver(solver)
        .with_rows(rows);
    let found = capture_with_passes(model, &CrossEntropy, samples, at_once, &spectrum, &FLEX);
    let (found, passes) = found.expect("captured");
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let candidates = SteepestDescent.candidates(&found, &FLEX, &mut rng);
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
    let search = passes.line_search(&plan, &grid, &CrossEntropy);
    let epsilon = search
        .expect("computes")
        .best
        .map_or(0.0, |(epsilon, _)| epsilon);
    let grown = apply_plan(model, passes.graph(), &plan, epsilon);
    black_box(grown.expect("fits"));
}

fn net<M: Growable + Sync>(
    c: &mut Criterion,
    index: usize,
    name: &str,
    model: &M,
    samples: &Samples<M::Input>,
    (rows, activations): (usize, usize),
) {
    let at_once = (ACTIVATIONS / activations).clamp(1, AT_ONCE);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let mut group = c.benchmark_group(format!("{name}, threads {threads}"));
        group.sample_size(10);
        let epoch = bench(&mut group, "epoch", || {
            pool.install(|| epoch(model, samples))
        });
        let step = bench(&mut group, "growth step", || {
            pool.install(|| growth_step(model, samples, rows, at_once));
        });
        group.finish();
        let what = format!(
            "{name}, threads {threads}: growth step / epoch (GroMo, one thread: {})",
            GROMO[index]
        );
        at_most(&what, 1.5, ratio(step, epoch));
    }
}

fn growth_steps(c: &mut Criterion) {
    let plain = FLEX.device();
    let device = plain.clone().autodiff();
    let rows = digits(SAMPLES, &plain).expect("embedded");
    for (index, neurons) in [16, 128].into_iter().enumerate() {
        let name = format!("MLP 64-{neurons}-10 on digits");
        let model = Mlp::new([64, neurons], &device);
        net(c, index, &name, &model, &rows, (ROWS[0], 64 + neurons));
    }
    let images = digit_images(SAMPLES, &plain).expect("embedded");
    let model = ConvNet::two([1, 32, 16], &device);
    let name = "convolutions 1-32-16 on digits";
    net(c, 2, name, &model, &images, (ROWS[1], 64 * (1 + 32 + 16)));
    let noise = noise([SAMPLES, 64, 8], &plain).expect("sound");
    let model = ConvNet::two([64, 64, 16], &device);
    let name = "convolutions 64-64-16 on noise";
    net(c, 3, name, &model, &noise, (ROWS[1], 64 * (64 + 64 + 16)));
}

criterion_group!(benches, growth_steps);
criterion_main!(benches);
