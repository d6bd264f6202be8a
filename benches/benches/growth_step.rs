//! A whole growth step in units of a training epoch of the same network, with one thread
//! and with two.

use std::hint::black_box;

use burgeon_backend_flex::FLEX;
use burgeon_benches::measure::{at_most, bench, ratio};
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{digit_images, digits, noise};
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::eigen::{Method, SpectrumSolver};
use burgeon_core::select::Fraction;
use burgeon_nn::surgery::carry_optimizer;
use burgeon_nn::{CrossEntropy, Growable, Samples, SpectrumConfig, retrace, trace};
use burgeon_train::{
    GrowthConfig, GrowthStep, SearchSamples, StepSize, Subject, TrainConfig, Trainer,
};
use burn::optim::{AdamConfig, ModuleOptimizer};
use criterion::{Criterion, criterion_group, criterion_main};

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

/// One epoch of training by Adam, as a grower trains it.
fn epoch<M: Growable>(model: &M, samples: &Samples<M::Input>) {
    let trainer = Trainer::new(TrainConfig::default()).expect("sound");
    let (mut model, mut optimizer) = (model.clone(), AdamConfig::new().init());
    let loss = trainer.epoch(&mut model, &mut optimizer, &CrossEntropy, samples, 1, 1e-3);
    black_box(loss.expect("trains"));
}

/// The growth step as a grower makes it: capture of all samples, both ends of the spectra,
/// selection, a four-point line search over the training set, all checks, surgery and the carrying
/// of Adam's state.
struct Step<'a, M: Growable> {
    step: GrowthStep,
    subject: Subject<'a, M>,
    samples: &'a Samples<M::Input>,
    optimizer: ModuleOptimizer,
}

impl<'a, M: Growable> Step<'a, M> {
    fn new(
        model: &'a M,
        [samples, held]: [&'a Samples<M::Input>; 2],
        rows: usize,
        at_once: usize,
    ) -> Self {
        let solver = SpectrumSolver::default()
            .with_method(Method::Krylov)
            .with_tolerance(TOLERANCE)
            .with_max_iterations(PRODUCTS);
        let config = GrowthConfig {
            spectrum: SpectrumConfig::default()
                .with_solver(solver)
                .with_rows(rows),
            capture_samples: usize::MAX,
            search_samples: SearchSamples::Captured,
            step_size: StepSize::LineSearch {
                largest: 1.0,
                shrink: 0.5,
                steps: 4,
            },
            // Spectra of few products and rows are no prediction.
            prediction_bound: f64::MAX,
            ..GrowthConfig::default()
        };
        let fraction = Fraction::new(0.3).expect("in range");
        Self {
            step: GrowthStep::new(SteepestDescent, fraction).with_config(config),
            subject: Subject {
                model,
                trace: trace(model, samples).expect("traceable").into(),
                objective: &CrossEntropy,
                train: samples,
                held,
                batch_size: at_once,
                backend: &FLEX,
            },
            samples,
            optimizer: stepped(model, samples),
        }
    }

    fn run(&self) {
        let made = self.step.run(&self.subject, 1).expect("computes");
        let (grown, edits) = made
            .grown
            .expect("a network that has not been trained grows");
        let optimizer = carry_optimizer(self.optimizer.clone(), &edits).expect("Adam");
        let traced = retrace(&grown, self.samples).expect("traceable");
        black_box((grown, optimizer, traced));
    }
}

/// Adam after a step.
fn stepped<M: Growable>(model: &M, samples: &Samples<M::Input>) -> ModuleOptimizer {
    let trainer = Trainer::new(TrainConfig::default()).expect("sound");
    let (mut model, mut optimizer) = (model.clone(), AdamConfig::new().init());
    let few = samples.sample(128, 0);
    let loss = trainer.epoch(&mut model, &mut optimizer, &CrossEntropy, &few, 1, 0.0);
    loss.expect("trains");
    optimizer
}

fn net<M: Growable + Sync>(
    c: &mut Criterion,
    index: usize,
    name: &str,
    model: &M,
    samples: &Samples<M::Input>,
    (rows, activations): (usize, usize),
) {
    // What judges the growth beside the line search, as a tenth that is held out would.
    let held = samples.sample(SAMPLES / 10, 0);
    let at_once = (ACTIVATIONS / activations).clamp(1, AT_ONCE);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let mut group = c.benchmark_group(format!("{name}, threads {threads}"));
        group.sample_size(10);
        let epoch = bench(&mut group, "epoch", || {
            pool.install(|| epoch(model, samples))
        });
        let growth = Step::new(model, [samples, &held], rows, at_once);
        let step = bench(&mut group, "growth step", || pool.install(|| growth.run()));
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
