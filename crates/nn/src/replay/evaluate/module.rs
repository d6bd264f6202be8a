//! The operations of layers, in inference.

use burgeon_ops::{Window, max_pool2d_padded};
use burn::backend::Dispatch as B;
use burn::backend::ir::ModuleOperationIr as M;
use burn::backend::ops::ModuleOps;
use burn::tensor::Tensor;
use burn::tensor::ops::UnfoldOptions;

use super::{Frame, Read, Value, convolution};

pub(super) fn evaluate(op: &M, frame: &Frame, read: &mut Read) -> Option<Value> {
    Some(match op {
        M::Embedding(o) => B::embedding(read(&o.weights), read(&o.indices)),
        M::Linear(o) => B::linear(read(&o.x), read(&o.weight), o.bias.as_ref().map(read)),
        M::Conv1d(o) => convolution::conv1d(o, read),
        M::Conv2d(o) => convolution::conv2d(o, frame, read),
        M::Conv3d(o) => convolution::conv3d(o, read),
        M::ConvTranspose1d(o) => convolution::conv_transpose1d(o, read),
        M::ConvTranspose2d(o) => convolution::conv_transpose2d(o, read),
        M::ConvTranspose3d(o) => convolution::conv_transpose3d(o, read),
        M::DeformableConv2d(o) => B::deform_conv2d(
            read(&o.x),
            read(&o.offset),
            read(&o.weight),
            o.mask.as_ref().map(&mut *read),
            o.bias.as_ref().map(&mut *read),
            o.options.clone().into(),
        ),
        M::BatchNorm(o) => B::batch_norm(
            read(&o.x),
            read(&o.gamma),
            read(&o.beta),
            read(&o.mean),
            read(&o.variance),
            o.epsilon.elem(),
        ),
        M::LayerNorm(o) => B::layer_norm(
            read(&o.input),
            read(&o.gamma),
            o.beta.as_ref().map(read),
            o.epsilon.elem(),
        ),
        M::MaxPool1d(o) => B::max_pool1d(
            read(&o.x),
            o.kernel_size,
            o.stride,
            o.padding,
            o.dilation,
            o.ceil_mode,
        ),
        // A maximum is the same number by any kernel.
        M::MaxPool2d(o) => {
            let window = Window {
                kernel: o.kernel_size,
                stride: o.stride,
                padding: o.padding.map(|padding| [padding; 2]),
                dilation: o.dilation,
            };
            let maps = Tensor::<4>::from_dispatch(read(&o.x));
            max_pool2d_padded(maps, window, o.ceil_mode).into_dispatch()
        }
        M::AvgPool1d(o) => B::avg_pool1d(
            read(&o.x),
            o.kernel_size,
            o.stride,
            o.padding,
            o.count_include_pad,
            o.ceil_mode,
        ),
        M::AvgPool2d(o) => B::avg_pool2d(
            read(&o.x),
            o.kernel_size,
            o.stride,
            o.padding,
            o.count_include_pad,
            o.ceil_mode,
        ),
        M::AdaptiveAvgPool1d(o) => B::adaptive_avg_pool1d(read(&o.x), o.output_size),
        M::AdaptiveAvgPool2d(o) => B::adaptive_avg_pool2d(read(&o.x), o.output_size),
        M::AdaptiveAvgPool3d(o) => B::adaptive_avg_pool3d(read(&o.x), o.output_size),
        M::Interpolate(o) => B::interpolate(read(&o.x), o.output_size, o.options.clone().into()),
        M::Attention(o) => B::attention(
            read(&o.query),
            read(&o.key),
            read(&o.value),
            o.mask.as_ref().map(&mut *read),
            o.attn_bias.as_ref().map(&mut *read),
            o.options.clone().into(),
        ),
        M::CtcLoss(o) => B::ctc_loss(
            read(&o.log_probs),
            read(&o.targets),
            read(&o.input_lengths),
            read(&o.target_lengths),
            o.blank,
        ),
        M::Unfold4d(o) => {
            let options = &o.options;
            let options = UnfoldOptions::new(options.stride, options.padding, options.dilation);
            B::unfold4d(read(&o.x), o.kernel_size, options)
        }
        // Gradients, and pooling that gives indices as well.
        _ => return None,
    })
}
