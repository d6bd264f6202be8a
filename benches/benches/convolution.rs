//! Convolution, and a training step, on the CPU backends.

use std::hint::black_box;

use burgeon_benches::measure::{Median, at_least, at_most, bench, ratio};
use burgeon_benches::nets::{ConvNet, Mlp};
use burgeon_benches::{noise, random, same_window};
use burgeon_core::Window;
use burgeon_nn::{CrossEntropy, Growable, Objective, Output, Samples};
use burgeon_ops::conv2d;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, module};
use criterion::{Criterion, criterion_group, criterion_main};

/// One convolution and what it should reach.
struct Case {
    name: &'static str,
    /// `[batch, inputs, height, width]`.
    input: [usize; 4],
    outputs: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    /// How many times faster than flex forward and backward should be together.
    goal: f64,
    /// PyTorch's milliseconds for forward and backward, where they were measured, with the
    /// 6.5 ms of its matrix product 1024³.
    pytorch: Option<f64>,
}

const PYTORCH_PRODUCT: f64 = 6.5;

const CASES: [Case; 5] = [
    Case {
        name: "64×16×32×32→32, 3×3",
        input: [64, 16, 32, 32],
        outputs: 32,
        kernel: 3,
        stride: 1,
        groups: 1,
        goal: 4.0,
        pytorch: Some(8.6),
    },
    Case {
        name: "64×64×16×16→256, 3×3",
        input: [64, 64, 16, 16],
        outputs: 256,
        kernel: 3,
        stride: 1,
        groups: 1,
        goal: 4.0,
        pytorch: Some(48.7),
    },
    Case {
        name: "depthwise 64×64×16×16, 3×3",
        input: [64, 64, 16, 16],
        outputs: 64,
        kernel: 3,
        stride: 1,
        groups: 64,
        goal: 1.0,
        pytorch: None,
    },
    Case {
        name: "pointwise 64×64×16×16→128",
        input: [64, 64, 16, 16],
        outputs: 128,
        kernel: 1,
        stride: 1,
        groups: 1,
        goal: 1.0,
        pytorch: None,
    },
    Case {
        name: "64×16×32×32→32, 3×3, stride 2",
        input: [64, 16, 32, 32],
        outputs: 32,
        kernel: 3,
        stride: 2,
        groups: 1,
        goal: 1.0,
        pytorch: None,
    },
];

type Convolution<'a> = &'a dyn Fn(Tensor<4>, Tensor<4>) -> Tensor<4>;

impl Case {
    fn window(&self) -> Window {
        same_window(self.kernel, self.stride)
    }

    fn tensors(&self, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let [_, inputs, ..] = self.input;
        let weight = [self.outputs, inputs / self.groups, self.kernel, self.kernel];
        (random(self.input, device), random(weight, device))
    }

    fn burns(&self, input: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        let padding = [self.kernel / 2; 2];
        let options = ConvOptions::new([self.stride; 2], padding, [1; 2], self.groups);
        module::conv2d(input, weight, None, options)
    }
}

/// Forward, and both gradients.
fn there_and_back(convolution: Convolution<'_>, input: &Tensor<4>, weight: &Tensor<4>) {
    let leaf = |tensor: &Tensor<4>| Tensor::from_inner(tensor.clone()).require_grad();
    let (input, weight) = (leaf(input), leaf(weight));
    let gradients = convolution(input.clone(), weight.clone()).sum().backward();
    black_box((input.grad(&gradients), weight.grad(&gradients)));
}

/// The matrix product 1024³ by which machines are compared.
fn product(c: &mut Criterion) -> Median {
    let mut group = c.benchmark_group("matrix product 1024³");
    group.sample_size(20);
    let device = Device::flex();
    let (a, b): (Tensor<2>, Tensor<2>) = (random([1024; 2], &device), random([1024; 2], &device));
    let product = bench(&mut group, "flex", || {
        black_box(a.clone().matmul(b.clone()));
    });
    group.finish();
    product
}

/// `ours` over the product 1024³, in units of PyTorch's milliseconds over its own.
fn against_pytorch(ours: Median, product: Median, pytorch: f64) -> Option<f64> {
    ratio(ours, product).map(|scaled| scaled * PYTORCH_PRODUCT / pytorch)
}

fn convolutions(c: &mut Criterion) {
    let product = product(c);
    for case in &CASES {
        let mut group = c.benchmark_group(case.name);
        group.sample_size(10);
        let ours = |input, weight| conv2d(input, weight, None, case.window(), case.groups);
        let burns = |input, weight| case.burns(input, weight);
        let device = Device::flex();
        let (input, weight) = case.tensors(&device);
        bench(&mut group, "ours, forward", || {
            black_box(ours(input.clone(), weight.clone()));
        });
        let mine = bench(&mut group, "ours, forward and backward", || {
            there_and_back(&ours, &input, &weight);
        });
        bench(&mut group, "flex, forward", || {
            black_box(burns(input.clone(), weight.clone()));
        });
        let flex = bench(&mut group, "flex, forward and backward", || {
            there_and_back(&burns, &input, &weight);
        });
        #[expect(
            deprecated,
            reason = "the ndarray backend is one of the two that are served"
        )]
        let device = Device::ndarray();
        let (input, weight) = case.tensors(&device);
        let ours_there = bench(&mut group, "ours on ndarray, forward and backward", || {
            there_and_back(&ours, &input, &weight);
        });
        let ndarray = bench(&mut group, "ndarray, forward and backward", || {
            there_and_back(&burns, &input, &weight);
        });
        group.finish();
        at_least(
            &format!("{}: flex / ours", case.name),
            case.goal,
            ratio(flex, mine),
        );
        let what = format!("{}: ndarray / ours on ndarray", case.name);
        at_least(&what, 1.0, ratio(ndarray, ours_there));
        if let Some(pytorch) = case.pytorch {
            let what = format!("{}: ours / PyTorch, both over the product", case.name);
            at_most(&what, 1.5, against_pytorch(mine, product, pytorch));
        }
    }
}

/// One step of Adam.
fn step<M: Growable>(model: &M, samples: &Samples<M::Input>) -> impl FnMut() {
    let mut model = model.clone();
    let mut optimizer = AdamConfig::new().init();
    let samples = samples.to_autodiff();
    move || {
        let output = model.predict(samples.inputs().clone()).into_rows();
        let loss = CrossEntropy.loss(output, samples.targets());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model.clone(), gradients);
    }
}

/// Steps of a CNN and of an MLP on `plain`.
fn steps(c: &mut Criterion, name: &str, plain: &Device) -> [Median; 2] {
    let device = plain.clone().autodiff();
    let mut group = c.benchmark_group(format!("training step on {name}"));
    group.sample_size(20);
    let images = noise([64, 3, 32], plain).expect("sound");
    let model = ConvNet::small(&device);
    let small = bench(
        &mut group,
        "CNN 3-16-32-64, 32×32, batch 64",
        step(&model, &images),
    );
    let rows = noise([128, 16, 7], plain).expect("sound");
    let rows = rows
        .with_inputs(rows.inputs().clone().reshape([128, 784]), |values| values)
        .expect("sound");
    let model = Mlp::new([784, 256], &device);
    let mlp = bench(&mut group, "MLP 784-256-10, batch 128", step(&model, &rows));
    group.finish();
    [small, mlp]
}

fn training_steps(c: &mut Criterion) {
    let product = product(c);
    let [small, mlp] = steps(c, "flex", &Device::flex());
    at_most(
        "CNN step / PyTorch, both over the product",
        1.6,
        against_pytorch(small, product, 17.0),
    );
    at_most(
        "MLP step / PyTorch, both over the product",
        1.2,
        against_pytorch(mlp, product, 1.2),
    );
}

criterion_group!(benches, convolutions, training_steps);
criterion_main!(benches);
