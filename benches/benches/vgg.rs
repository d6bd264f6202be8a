//! Both ends of every neuron's spectrum of a whole VGG-11 with batch normalisation (width 64,
//! 32×32 images, 512 samples of noise), against forward-backward passes over the same samples
//! and against the memory of training. Minutes long, so it is run once and not by Criterion.

use std::time::{Duration, Instant};

use burgeon_backend_flex::FLEX;
use burgeon_benches::measure::at_most;
use burgeon_benches::nets::ConvNet;
use burgeon_benches::noise;
use burgeon_core::SplitBackend;
use burgeon_core::eigen::{Method, SpectrumSolver};
use burgeon_nn::{CrossEntropy, Growable, Objective, Samples, SpectrumConfig, capture_spectra};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Tensor;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SAMPLES: usize = 512;
const BATCH: usize = 64;

/// Bytes of basis vectors of one site.
const BASIS: usize = 160 << 20;

type Batch = Samples<Tensor<4>>;

/// Forward and backward over all batches.
fn pass(model: &ConvNet, batches: &[Batch]) -> Duration {
    let start = Instant::now();
    for batch in batches {
        let output = model.predict(batch.inputs().clone());
        let loss = CrossEntropy.loss(output, batch.targets());
        drop(GradientsParams::from_grads(loss.backward(), model));
    }
    start.elapsed()
}

/// Two steps of Adam.
fn train(model: &ConvNet, batch: &Batch) {
    let mut model = model.clone();
    let mut optimizer = AdamConfig::new().init();
    for _ in 0..2 {
        let output = model.predict(batch.inputs().clone());
        let loss = CrossEntropy.loss(output, batch.targets());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model, gradients);
    }
}

fn main() {
    // `cargo test` runs benches with other arguments to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let width = std::env::var("VGG_WIDTH")
        .ok()
        .and_then(|width| width.parse().ok());
    let width = width.unwrap_or(64);
    let plain = FLEX.device();
    let samples = noise([SAMPLES, 3, 32], &plain).expect("sound");
    let model = ConvNet::vgg_11(width, &plain.autodiff());
    let order: Vec<usize> = (0..SAMPLES).collect();
    let batches: Vec<Batch> = order
        .chunks(BATCH)
        .map(|rows| samples.subset(rows).expect("there are").to_autodiff())
        .collect();
    println!("VGG-11 with BatchNorm, width {width}, {SAMPLES} samples, batch {BATCH}");
    let before = MEMORY.current_usage_as_mb();
    println!("model and data: {before:.0} MB");
    MEMORY.reset_peak_usage();
    train(&model, &batches[0]);
    let training = MEMORY.peak_usage_as_mb();
    println!("training, peak: {training:.0} MB");
    pass(&model, &batches[..1]);
    let mut passes = [pass(&model, &batches), pass(&model, &batches)];
    passes.sort();
    let pass = passes[0].as_secs_f64();
    println!("one forward-backward pass: {pass:.2} s");
    drop(batches);
    let solver = SpectrumSolver::default()
        .with_method(Method::Krylov)
        .with_tolerance(1e-3)
        .with_memory_budget(BASIS);
    let config = SpectrumConfig::default().with_solver(solver);
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let capture = capture_spectra(&model, &CrossEntropy, &samples, BATCH, &config, &FLEX);
    let capture = capture.expect("computes");
    let seconds = start.elapsed().as_secs_f64();
    let peak = MEMORY.peak_usage_as_mb();
    println!(
        "spectra: {seconds:.1} s, peak {peak:.0} MB, captured {} MB",
        capture.bytes >> 20
    );
    for site in &capture.sites {
        let Some(spectra) = &site.spectra else {
            continue;
        };
        let worst = spectra.iter().map(|s| {
            let scale = s.min.value.abs().max(s.max.value.abs());
            s.min.residual.max(s.max.residual) / scale.max(f64::MIN_POSITIVE)
        });
        println!(
            "  {}: M {}, d {}, {} iterations, basis {} MB, worst relative residual {:.1e}",
            site.name,
            site.neurons,
            site.dim,
            spectra.iterations,
            spectra.bytes >> 20,
            worst.fold(0.0, f64::max)
        );
    }
    at_most(
        "VGG-11: spectra / forward-backward pass",
        40.0,
        Some(seconds / pass),
    );
    let memory = f64::from(peak) / f64::from(training);
    at_most(
        "VGG-11: peak memory of spectra / of training",
        2.0,
        Some(memory),
    );
}
