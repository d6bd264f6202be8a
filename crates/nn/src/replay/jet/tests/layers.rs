//! Layers whose inputs, weights and biases all move.

use super::{Traced, against_differences, close, noise, numbers};
use burn::tensor::module::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, conv_transpose1d,
    conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv3d, embedding, interpolate, layer_norm,
    linear, max_pool1d, max_pool2d,
};
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions,
    MaxPoolOptions, PadMode,
};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// Cuts tensors off a vector.
struct Cut {
    from: Tensor<1>,
    at: usize,
}

impl Cut {
    fn next<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let len = shape.iter().product::<usize>();
        let piece = self.from.clone().slice_dim(0, self.at..self.at + len);
        self.at += len;
        piece.reshape(shape)
    }
}

fn check<const D: usize>(name: &str, len: usize, function: impl Fn(&mut Cut) -> Tensor<D>) {
    let traced = Traced::new(len, |from| function(&mut Cut { from, at: 0 }));
    let x: Vec<_> = noise(len, 21).iter().map(|u| 0.8 * u).collect();
    against_differences(name, &traced, &x, 4e-3, 1e-9);
}

#[test]
fn linear_layers() {
    check("linear", 12 + 8 + 2, |p| {
        linear(p.next([3, 4]), p.next([4, 2]), Some(p.next([2])))
    });
    check("linear on rank 3", 24 + 8 + 2, |p| {
        linear(p.next([2, 3, 4]), p.next([4, 2]), Some(p.next([2])))
    });
    check("linear without bias", 12 + 8, |p| {
        linear(p.next([3, 4]), p.next([4, 2]), None)
    });
    check("matmul of computed values", 12 + 8, |p| {
        p.next([3, 4]).tanh().matmul(p.next([4, 2]).exp())
    });
    check("batched matmul", 24 + 8, |p| {
        p.next([2, 3, 4]).matmul(p.next([1, 4, 2]))
    });
    check("square of a matrix", 9, |p| {
        let m = p.next([3, 3]);
        m.clone().matmul(m)
    });
    check("embedding", 12, |p| {
        let weights = p.next([4, 3]);
        let tokens = Tensor::<2, Int>::from_ints([[0, 2], [3, 2]], &weights.device());
        embedding(weights.sin(), tokens)
    });
    check("cross", 12, |p| p.next([2, 3]).cross(p.next([2, 3]), 1));
}

#[test]
fn only_a_bias_moves() {
    let traced = Traced::new(2, |b| {
        let device = b.device();
        let x = Tensor::<2>::ones([3, 4], &device);
        linear(x, Tensor::ones([4, 2], &device), Some(b)).tanh()
    });
    against_differences("bias", &traced, &[-3.9, -4.2], 2e-3, 2e-9);
}

#[test]
fn convolutions() {
    let options = |groups| ConvOptions::new([1], [1], [1], groups);
    check("conv1d", 2 * 2 * 5 + 3 * 2 * 3 + 3, |p| {
        conv1d(
            p.next([2, 2, 5]),
            p.next([3, 2, 3]),
            Some(p.next([3])),
            options(1),
        )
    });
    check("conv2d", 2 * 2 * 25 + 3 * 2 * 9 + 3, |p| {
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        conv2d(
            p.next([2, 2, 5, 5]),
            p.next([3, 2, 3, 3]),
            Some(p.next([3])),
            options,
        )
        .tanh()
    });
    check("depthwise conv2d", 2 * 25 + 2 * 9, |p| {
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 2);
        conv2d(p.next([1, 2, 5, 5]), p.next([2, 1, 3, 3]), None, options)
    });
    check("conv3d", 27 + 2 * 8 + 2, |p| {
        let options = ConvOptions::new([1; 3], [0; 3], [1; 3], 1);
        conv3d(
            p.next([1, 1, 3, 3, 3]),
            p.next([2, 1, 2, 2, 2]),
            Some(p.next([2])),
            options,
        )
    });
    check("conv_transpose1d", 2 * 4 + 2 * 3 * 3 + 3, |p| {
        let options = ConvTransposeOptions::new([2], [1], [0], [1], 1);
        conv_transpose1d(
            p.next([1, 2, 4]),
            p.next([2, 3, 3]),
            Some(p.next([3])),
            options,
        )
    });
    check("conv_transpose2d", 2 * 9 + 2 * 3 * 9 + 3, |p| {
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [1, 1], [1, 1], 1);
        conv_transpose2d(
            p.next([1, 2, 3, 3]),
            p.next([2, 3, 3, 3]),
            Some(p.next([3])),
            options,
        )
    });
    check("conv_transpose3d", 8 + 2 * 8 + 2, |p| {
        let options = ConvTransposeOptions::new([1; 3], [0; 3], [0; 3], [1; 3], 1);
        conv_transpose3d(
            p.next([1, 1, 2, 2, 2]),
            p.next([1, 2, 2, 2, 2]),
            Some(p.next([2])),
            options,
        )
    });
}

#[test]
fn norms() {
    check("batch norm", 2 * 3 * 4 + 6, |p| {
        use burn::nn::BatchNormConfig;
        let (x, gamma, beta) = (p.next([2, 3, 2, 2]), p.next([3]), p.next([3]));
        let device = x.device();
        let mut norm = BatchNormConfig::new(3).with_epsilon(0.01).init(&device);
        norm.gamma = norm.gamma.map(|_| gamma.clone());
        norm.beta = norm.beta.map(|_| beta.clone());
        norm.forward(x).tanh()
    });
    check("layer norm", 12 + 8, |p| {
        let x: Tensor<2> = p.next([3, 4]);
        layer_norm(x.sin(), p.next([4]), Some(p.next([4])), 1e-3)
    });
    check("layer norm without shift", 12 + 4, |p| {
        let x: Tensor<2> = p.next([3, 4]);
        layer_norm(x, p.next([4]), None, 1e-3)
    });
}

#[test]
fn averages_and_maxima() {
    let image = |p: &mut Cut| p.next([1, 2, 4, 4]).sin();
    check("avg_pool2d", 32, |p| {
        avg_pool2d(
            image(p),
            AvgPoolOptions::new([2, 2])
                .with_stride([1, 1])
                .with_padding([1, 1])
                .with_count_include_pad(false),
        )
    });
    check("adaptive_avg_pool2d", 32, |p| {
        adaptive_avg_pool2d(image(p), [3, 2])
    });
    check("avg_pool1d", 12, |p| {
        avg_pool1d(
            p.next([1, 2, 6]).sin(),
            AvgPoolOptions::new([3]).with_stride([2]).with_padding([1]),
        )
    });
    check("adaptive_avg_pool1d", 12, |p| {
        adaptive_avg_pool1d(p.next([1, 2, 6]).sin(), 2)
    });
    // the noise's maxima are further apart than the differences reach
    check("max_pool2d", 32, |p| {
        max_pool2d(
            image(p),
            MaxPoolOptions::new([3, 3])
                .with_stride([2, 2])
                .with_padding([1, 1]),
        )
    });
    check("max_pool1d", 12, |p| {
        max_pool1d(
            p.next([1, 2, 6]).sin(),
            MaxPoolOptions::new([3]).with_stride([1]).with_padding([1]),
        )
    });
    check("max_dim", 12, |p| p.next([3, 4]).sin().max_dim(1));
    check("min_dim", 12, |p| p.next([3, 4]).sin().min_dim(0));
    check("max", 12, |p| p.next([3, 4]).sin().max());
    check("min", 12, |p| p.next([3, 4]).sin().min());
    for mode in [InterpolateMode::Nearest, InterpolateMode::Bilinear] {
        check("interpolate", 32, |p| {
            interpolate(
                image(p),
                InterpolateOptions::new(mode.clone()).with_output_size([6, 7]),
            )
        });
    }
}

#[test]
fn shapes_and_selections() {
    let indices = |x: &Tensor<2>| Tensor::<1, Int>::from_ints([2, 0, 2], &x.device());
    let wave = |p: &mut Cut| p.next([3, 4]).sin();
    check("permute", 24, |p| {
        p.next([2, 3, 4]).sin().permute([2, 0, 1])
    });
    check("swap_dims", 12, |p| wave(p).swap_dims(0, 1));
    check("flip", 12, |p| wave(p).flip([1]));
    check("expand", 4, |p| p.next([1, 4]).sin().expand([3, 4]));
    check("repeat", 12, |p| wave(p).repeat_dim(0, 2));
    check("cat", 24, |p| {
        Tensor::cat(vec![wave(p), p.next([3, 4]).cos()], 1)
    });
    check("cat with what stands still", 12, |p| {
        let x = wave(p);
        Tensor::cat(vec![x.ones_like(), x], 0)
    });
    check("slice_assign", 12 + 2, |p| {
        wave(p).slice_assign([1..2, 1..3], p.next([1, 2]).exp())
    });
    check("select", 12, |p| {
        let x = wave(p);
        let at = indices(&x);
        x.select(0, at)
    });
    check("select_assign", 12 + 12, |p| {
        let (x, y) = (wave(p), p.next([3, 4]));
        let at = indices(&x);
        x.select_assign(0, at, y.exp(), IndexingUpdateOp::Add)
    });
    check("gather", 12, |p| {
        let x = wave(p);
        let at = Tensor::<2, Int>::from_ints([[0, 3], [1, 1], [2, 0]], &x.device());
        x.gather(1, at)
    });
    check("unfold", 12, |p| wave(p).unfold::<3, _>(1, 2, 1));
    check("sums", 12, |p| wave(p).sum() * 2.0);
    check("means", 12, |p| {
        wave(p).mean_dim(1) + p.from.clone().slice_dim(0, 0..3).reshape([3, 1])
    });
    check("cumsum", 12, |p| wave(p).cumsum(1));
    check("broadcast sum", 7, |p| {
        p.next([3, 1]).sin() + p.next([1, 4]).exp()
    });
    check("broadcast difference of one that moves", 4, |p| {
        let x = p.next([1, 4]);
        Tensor::<2>::ones([3, 4], &x.device()) - x.exp()
    });
    for mode in [PadMode::Constant(2.0), PadMode::Reflect, PadMode::Edge] {
        check("pad", 12, |p| wave(p).pad([(1, 1), (0, 2)], mode));
    }
}

#[test]
fn what_stands_still_has_no_derivatives() {
    let traced = Traced::new(3, |x| {
        let fixed = Tensor::<1>::ones([3], &x.device()).exp();
        x.mask_fill(fixed.clone().greater_elem(0.0), 0.0);
        fixed * 2.0
    });
    let part = traced.vector(&[1.0; 3]);
    let jet = traced.jet(&[0.0; 3], part.clone(), part, true).unwrap();
    assert!(!jet.moves());
    close(
        "still",
        "value",
        &numbers(&jet.value),
        &[2.0 * 1f64.exp(); 3],
        1e-15,
    );
}

#[test]
fn what_has_no_rule_is_named() {
    let traced = Traced::new(4, |x| x.prod());
    let part = traced.vector(&[1.0; 4]);
    let error = traced
        .jet(&[1.0; 4], part.clone(), part, false)
        .map(|_| ())
        .unwrap_err();
    assert!(error.operation.contains("Prod"), "{}", error.operation);
}
