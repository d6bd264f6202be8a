//! Functions of one layer's operation.

use burn::tensor::activation;
use burn::tensor::module::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, attention, avg_pool1d,
    avg_pool2d, batch_norm, conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d, conv2d,
    conv3d, ctc_loss, deform_conv2d, embedding, interpolate, layer_norm, linear, max_pool1d,
    max_pool2d, unfold4d,
};
use burn::tensor::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions,
    GridSampleOptions, InterpolateMode, InterpolateOptions, UnfoldOptions,
};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::{Named, constant, indices};

/// On `[n, 4, 6, 6]`.
pub(super) const MAPS: &[Named<4>] = &[
    ("linear", |x| {
        let (weight, bias) = (constant(&x, [6, 3]), constant(&x, [3]));
        linear(x, weight, Some(bias))
    }),
    ("linear without bias", |x| {
        let weight = constant(&x, [6, 3]);
        linear(x, weight, None)
    }),
    ("embedding", |x| {
        let weight = constant(&x, [5, 3]);
        let ids = x.abs().int().flatten::<2>(1, 3);
        embedding(weight, ids).unsqueeze_dim(1)
    }),
    ("conv1d", |x| {
        let (weight, bias) = (constant(&x, [3, 4, 3]), constant(&x, [3]));
        let options = ConvOptions::new([2], [1], [1], 1);
        conv1d(x.flatten::<3>(2, 3), weight, Some(bias), options).unsqueeze_dim(3)
    }),
    ("conv2d", |x| {
        let (weight, bias) = (constant(&x, [3, 4, 3, 2]), constant(&x, [3]));
        conv2d(
            x,
            weight,
            Some(bias),
            ConvOptions::new([2, 1], [1, 0], [1, 2], 1),
        )
    }),
    ("conv2d padded unevenly", |x| {
        let weight = constant(&x, [3, 4, 2, 2]);
        let padding = [(0, 1), (1, 0)];
        conv2d(
            x,
            weight,
            None,
            ConvOptions::new_with_padding([1, 1], padding, [1, 1], 1),
        )
    }),
    ("conv2d in groups", |x| {
        let weight = constant(&x, [6, 2, 3, 3]);
        conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 2))
    }),
    ("depthwise conv2d", |x| {
        let weight = constant(&x, [8, 1, 3, 3]);
        conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 4))
    }),
    ("conv3d", |x| {
        let weight = constant(&x, [2, 1, 2, 3, 3]);
        let options = ConvOptions::new([1, 2, 1], [0, 1, 1], [1, 1, 1], 1);
        conv3d(x.unsqueeze_dim(1), weight, None, options).flatten(1, 2)
    }),
    ("conv_transpose1d", |x| {
        let weight = constant(&x, [4, 3, 3]);
        let options = ConvTransposeOptions::new([2], [1], [1], [1], 1);
        conv_transpose1d(x.flatten::<3>(2, 3), weight, None, options).unsqueeze_dim(3)
    }),
    ("conv_transpose2d", |x| {
        let (weight, bias) = (constant(&x, [4, 3, 3, 3]), constant(&x, [3]));
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [1, 0], [1, 1], 1);
        conv_transpose2d(x, weight, Some(bias), options)
    }),
    ("conv_transpose3d", |x| {
        let weight = constant(&x, [1, 2, 2, 3, 3]);
        let options = ConvTransposeOptions::new([1, 2, 1], [0; 3], [0; 3], [1; 3], 1);
        conv_transpose3d(x.unsqueeze_dim(1), weight, None, options).flatten(1, 2)
    }),
    ("deform_conv2d", |x| {
        let [n, ..] = x.dims();
        let offset = (constant(&x, [1, 18, 4, 4]) * 0.3).repeat_dim(0, n);
        let mask = constant(&x, [1, 9, 4, 4]).repeat_dim(0, n);
        let (weight, bias) = (constant(&x, [3, 4, 3, 3]), constant(&x, [3]));
        let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
        deform_conv2d(x, offset, weight, Some(mask), Some(bias), options)
    }),
    ("batch_norm", |x| {
        let (gamma, beta) = (constant(&x, [4]), constant(&x, [4]) + 0.5);
        let (mean, variance) = (constant(&x, [4]) * 0.3, constant(&x, [4]).abs() + 0.2);
        batch_norm(x, gamma, beta, mean, variance, 1e-5)
    }),
    ("layer_norm", |x| {
        let (gamma, beta) = (constant(&x, [6]), constant(&x, [6]) + 0.5);
        layer_norm(x, gamma, Some(beta), 1e-5)
    }),
    ("layer_norm without beta", |x| {
        let gamma = constant(&x, [6]);
        layer_norm(x, gamma, None, 1e-5)
    }),
    ("max_pool1d", |x| {
        let options = MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]);
        max_pool1d(x.flatten::<3>(2, 3), options).unsqueeze_dim(3)
    }),
    ("max_pool2d", |x| {
        let options = MaxPoolOptions::new([3, 2])
            .with_stride([2, 1])
            .with_padding([1, 0]);
        max_pool2d(x, options)
    }),
    ("avg_pool1d", |x| {
        let options = AvgPoolOptions::new([3]).with_stride([2]).with_padding([1]);
        avg_pool1d(x.flatten::<3>(2, 3), options).unsqueeze_dim(3)
    }),
    ("avg_pool2d", |x| {
        let options = AvgPoolOptions::new([3, 2])
            .with_stride([2, 1])
            .with_padding([1, 0]);
        avg_pool2d(x, options.with_count_include_pad(false))
    }),
    ("adaptive_avg_pool1d", |x| {
        adaptive_avg_pool1d(x.flatten::<3>(2, 3), 5).unsqueeze_dim(3)
    }),
    ("adaptive_avg_pool2d", |x| adaptive_avg_pool2d(x, [4, 1])),
    ("adaptive_avg_pool3d", |x| {
        adaptive_avg_pool3d(x.unsqueeze_dim(1), [2, 4, 1]).squeeze_dim(1)
    }),
    ("interpolate nearest", |x| {
        let options = InterpolateOptions::new(InterpolateMode::Nearest);
        interpolate(x, options.with_output_size([9, 12]))
    }),
    ("interpolate bilinear", |x| {
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        interpolate(x, options.with_output_size([9, 4]))
    }),
    ("interpolate bicubic", |x| {
        let options = InterpolateOptions::new(InterpolateMode::Bicubic);
        interpolate(x, options.with_output_size([9, 4]))
    }),
    ("grid_sample_2d", |x| {
        let grid = (constant(&x, [1, 3, 3, 2]) * 0.5).repeat_dim(0, x.dims()[0]);
        x.grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Bilinear))
    }),
    ("unfold4d", |x| {
        let options = UnfoldOptions::new([1, 2], [1, 0], [1, 1]);
        unfold4d(x, [3, 2], options).unsqueeze_dim(1)
    }),
    ("attention", |x| {
        let (key, value) = (x.clone().flip([3]), x.clone() * 0.5);
        let options = AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        attention(x, key, value, None, None, options)
    }),
    ("attention with mask and bias", |x| {
        let (key, value) = (x.clone().flip([3]), x.clone() * 0.5);
        let (mask, bias) = (key.clone().greater_elem(1.2), value.clone().flip([1]));
        let options = AttentionModuleOptions {
            scale: Some(0.3),
            ..Default::default()
        };
        attention(x, key, value, Some(mask), Some(bias), options)
    }),
    ("ctc_loss", |x| {
        let scores = activation::log_softmax(x.flatten::<3>(2, 3).permute([2, 0, 1]), 2);
        let [_, n, _] = scores.dims();
        let times = |values: &[i32], n: usize| {
            let one = indices(&scores, values, [1, values.len()]);
            one.repeat_dim(0, n)
        };
        let (targets, lengths) = (times(&[1, 2, 3], n), times(&[36], n).flatten(0, 1));
        let sizes = times(&[3], n).flatten(0, 1);
        ctc_loss(scores.clone(), targets, lengths, sizes, 0).reshape([n, 1, 1, 1])
    }),
];
