//! Convolutions and transposed convolutions.
//!
//! A depthwise convolution has as many groups as its input has channels now; any other keeps the
//! groups of the trace.

use burgeon_core::Window;
use burn::backend::ir::{
    Conv1dOpIr, Conv2dOpIr, Conv3dOpIr, ConvTranspose1dOpIr, ConvTranspose2dOpIr,
    ConvTranspose3dOpIr, TensorIr,
};
use burn::backend::ops::ModuleOps;
use burn::backend::{Dispatch as B, TensorMetadata};
use burn::tensor::Tensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::{Frame, Read, Value};

pub(super) fn conv1d(op: &Conv1dOpIr, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    B::conv1d(x, weight, bias, options)
}

pub(super) fn conv2d(op: &Conv2dOpIr, frame: &Frame, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    if !(frame.fast)(op.weight.id) {
        return B::conv2d(x, weight, bias, options);
    }
    let (x, weight) = (
        Tensor::<4>::from_dispatch(x),
        Tensor::<4>::from_dispatch(weight),
    );
    let [_, _, rows, columns] = weight.dims();
    let window = Window {
        kernel: [rows, columns],
        stride: options.stride,
        padding: options.padding.map(|(before, after)| [before, after]),
        dilation: options.dilation,
    };
    let bias = bias.map(Tensor::<1>::from_dispatch);
    burgeon_ops::conv2d(x, weight, bias, window, options.groups).into_dispatch()
}

pub(super) fn conv3d(op: &Conv3dOpIr, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    B::conv3d(x, weight, bias, options)
}

pub(super) fn conv_transpose1d(op: &ConvTranspose1dOpIr, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvTransposeOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    B::conv_transpose1d(x, weight, bias, options)
}

pub(super) fn conv_transpose2d(op: &ConvTranspose2dOpIr, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvTransposeOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    B::conv_transpose2d(x, weight, bias, options)
}

pub(super) fn conv_transpose3d(op: &ConvTranspose3dOpIr, read: &mut Read) -> Value {
    let (x, weight, bias) = operands(&op.x, &op.weight, op.bias.as_ref(), read);
    let mut options = ConvTransposeOptions::from(op.options.clone());
    options.groups = groups(options.groups, &op.x, &x);
    B::conv_transpose3d(x, weight, bias, options)
}

fn operands(
    x: &TensorIr,
    weight: &TensorIr,
    bias: Option<&TensorIr>,
    read: &mut Read,
) -> (Value, Value, Option<Value>) {
    (read(x), read(weight), bias.map(read))
}

/// The groups of a convolution that had `recorded` ones of the traced input, for the input that
/// is `present`: `[n, channels, ..]`.
fn groups(recorded: usize, traced: &TensorIr, present: &Value) -> usize {
    if recorded > 1 && recorded == traced.shape[1] {
        present.shape()[1]
    } else {
        recorded
    }
}
