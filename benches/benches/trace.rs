//! What tracing costs, and what a replay costs beside the model's own forward pass.

use std::hint::black_box;
use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_benches::measure::{at_most, bench, ratio};
use burgeon_benches::nets::ConvNet;
use burgeon_benches::noise;
use burgeon_core::SplitBackend;
use burgeon_nn::{Growable, Network, Samples, Trace, trace};
use burgeon_zoo::{Activation, ResNet};
use burn::tensor::Tensor;
use criterion::{Criterion, criterion_group, criterion_main};

/// Samples of a forward pass.
const BATCH: usize = 64;

fn net<M>(c: &mut Criterion, name: &str, model: &M, samples: &Samples<Tensor<4>>)
where
    M: Growable<Input = Tensor<4>, Output = Tensor<2>>,
{
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    let forward = |model: &M, input| model.predict(input);
    let example = samples.inputs();
    bench(&mut group, "trace and graph", || {
        black_box(Trace::of(model, example, forward).expect("traced"));
    });
    bench(&mut group, "the same, compared with the model", || {
        black_box(trace(model, samples).expect("traced"));
    });
    let traced = Trace::of(model, example, forward).expect("traced");
    let replay = Network::of(Arc::new(traced), model).expect("of one type");
    let model = model.valid();
    let own = bench(&mut group, "the model's forward, batch 64", || {
        black_box(model.predict(example.clone()));
    });
    let replayed = bench(&mut group, "the replay's forward, batch 64", || {
        black_box(replay.predict::<M>(example.clone()).expect("replayed"));
    });
    group.finish();
    let what = format!("{name}: the replay's forward / the model's");
    at_most(&what, 1.1, ratio(replayed, own));
}

fn all(c: &mut Criterion) {
    let plain = FLEX.device();
    let device = plain.clone().autodiff();
    let samples = noise([BATCH, 3, 32], &plain).expect("sound");
    let vgg = ConvNet::vgg_19(64, &device);
    net(c, "VGG-19, width 64, 32×32", &vgg, &samples);
    let resnet = ResNet::resnet_20(16, [3, 10], Activation::Relu, &device).expect("sound");
    net(c, "ResNet-20, width 16, 32×32", &resnet, &samples);
}

criterion_group!(benches, all);
criterion_main!(benches);
