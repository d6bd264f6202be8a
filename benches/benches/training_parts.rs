//! How a training step of the small convolutional network divides among its operations: each
//! forward and backward alone, at the network's sizes, beside the whole step.

use std::hint::black_box;

use burgeon_backend_flex::FLEX;
use burgeon_backend_ndarray::NDARRAY;
use burgeon_benches::measure::{Median, bench};
use burgeon_benches::nets::ConvNet;
use burgeon_benches::{noise, random, same_window};
use burgeon_core::{Activation, SplitBackend};
use burgeon_nn::{CrossEntropy, Growable, Objective};
use burgeon_ops::{activate, batch_norm_train, conv2d, max_pool2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, module};
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 64;

/// `[inputs, outputs, size]` of the network's convolutions; maps are halved after the first two.
const LAYERS: [[usize; 3]; 3] = [[3, 16, 32], [16, 32, 16], [32, 64, 8]];

/// Forward and backward of `operation` on maps `[64, c, s, s]`; the images themselves, of three
/// channels, need no gradient.
fn there_and_back(
    shapes: &[[usize; 2]],
    device: &Device,
    operation: impl Fn(usize, Tensor<4>) -> Tensor<4>,
) -> impl FnMut() {
    let inputs: Vec<Tensor<4>> = shapes
        .iter()
        .map(|[c, s]| random([BATCH, *c, *s, *s], device).set_require_grad(*c != 3))
        .collect();
    move || {
        for (layer, input) in inputs.iter().enumerate() {
            let output = operation(layer, input.clone());
            black_box(input.grad(&output.sum().backward()));
        }
    }
}

fn training_parts(c: &mut Criterion, backend: &dyn SplitBackend) {
    let plain = backend.device();
    let device = plain.clone().autodiff();
    let mut group = c.benchmark_group(format!("training step on {}", backend.name()));
    group.sample_size(20);
    let mut rows: Vec<(&str, Median)> = Vec::new();
    let mut part = |name: &'static str, work: &mut dyn FnMut()| {
        let median = bench(&mut group, name, work);
        rows.push((name, median));
    };

    let images = noise([BATCH, 3, 32], &plain).expect("sound").to_autodiff();
    let model = ConvNet::small(&device);
    let loss = |model: &ConvNet| {
        let output = model.predict(images.inputs().clone());
        CrossEntropy.loss(output, images.targets())
    };
    let (mut trained, mut optimizer) = (model.clone(), AdamConfig::new().init());
    part("whole step", &mut || {
        let gradients = GradientsParams::from_grads(loss(&trained).backward(), &trained);
        trained = optimizer.step(1e-3, trained.clone(), gradients);
    });

    part("forward and backward, without Adam", &mut || {
        black_box(loss(&model).backward());
    });
    let inputs = LAYERS.map(|[c, _, s]| [c, s]);
    let outputs = LAYERS.map(|[_, c, s]| [c, s]);
    let weights = LAYERS.map(|[from, to, _]| random([to, from, 3, 3], &device).require_grad());
    part(
        "three convolutions",
        &mut there_and_back(&inputs, &device, |layer, maps| {
            conv2d(maps, weights[layer].clone(), None, same_window(3, 1), 1)
        }),
    );
    let scales = outputs.map(|[c, _]| random([c], &device).require_grad());
    let shifts = outputs.map(|[c, _]| random([c], &device).require_grad());
    part(
        "three BatchNorms",
        &mut there_and_back(&outputs, &device, |layer, maps| {
            let (scale, shift) = (scales[layer].clone(), shifts[layer].clone());
            batch_norm_train(maps, scale, shift, 1e-5).output
        }),
    );
    part(
        "three BatchNorms of Burn's, not in the step",
        &mut there_and_back(&outputs, &device, |layer, maps| {
            let (scale, shift) = (scales[layer].clone(), shifts[layer].clone());
            module::batch_norm_train(maps, scale, shift, 1e-5).output
        }),
    );
    part(
        "three activations",
        &mut there_and_back(&outputs, &device, |_, maps| relu(maps)),
    );
    part(
        "three activations of ours, not in the step",
        &mut there_and_back(&outputs, &device, |_, maps| {
            activate(Activation::relu(), maps)
        }),
    );
    part(
        "two poolings",
        &mut there_and_back(&outputs[..2], &device, |_, maps| {
            max_pool2d(maps, [2, 2], [2, 2])
        }),
    );
    part(
        "mean over maps",
        &mut there_and_back(&outputs[2..], &device, |_, maps| {
            maps.mean_dim(3).mean_dim(2)
        }),
    );
    part(
        "the sum that each part above has for a loss, over all their outputs",
        &mut there_and_back(&outputs, &device, |_, maps| maps),
    );
    group.finish();

    let whole = rows.first().and_then(|(_, median)| *median);
    for (name, median) in rows {
        if let (Some(whole), Some(median)) = (whole, median) {
            let share = 100.0 * median.as_secs_f64() / whole.as_secs_f64();
            let ms = 1e3 * median.as_secs_f64();
            println!(
                "part: {} on {}: {ms:.2} ms, {share:.0} % of the step",
                name,
                backend.name()
            );
        }
    }
}

fn all(c: &mut Criterion) {
    training_parts(c, &FLEX);
    training_parts(c, &NDARRAY);
}

criterion_group!(benches, all);
criterion_main!(benches);
