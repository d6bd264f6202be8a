//! Convolutions of other widths than were traced, and our own kernels in place of Burn's.

use std::collections::HashMap;

use burgeon_core::Window;
use burn::backend::capture::CapturedGraph;
use burn::backend::ir::{ModuleOperationIr, OperationIr, TensorId};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{Change, Frame, assert_same, computed, constant, data, replay, trace};

const WIDE: usize = 6;

fn depthwise(x: Tensor<4>, weight: Tensor<4>, channels: usize) -> Tensor<4> {
    conv2d(
        x,
        weight,
        None,
        ConvOptions::new([1, 1], [1, 1], [1, 1], channels),
    )
}

/// The weight of the only convolution.
fn weight(traced: &CapturedGraph) -> TensorId {
    let id = computed(traced).find_map(|op| match op {
        OperationIr::Module(ModuleOperationIr::Conv2d(op)) => Some(op.weight.id),
        OperationIr::Module(ModuleOperationIr::ConvTranspose2d(op)) => Some(op.weight.id),
        _ => None,
    });
    id.expect("there is a convolution")
}

/// `narrow` replayed as `wide`, with the weight that `wide` has.
fn widened(narrow: &CapturedGraph, wide: &CapturedGraph, fast: bool) -> TensorData {
    let change = Change::new(narrow, wide);
    let device = Device::flex();
    let ours = weight(narrow);
    let frame = Frame {
        device: device.as_dispatch(),
        float: DType::F32,
        shapes: &|tensor| change.shapes[&tensor.id].clone(),
        ranges: &|op| op.ranges.clone(),
        assigned: &|op| op.ranges.clone(),
        fast: &|id| fast && id == ours,
        slope_at_zero: burgeon_core::SlopeAtZero::Trained,
    };
    let leaves = HashMap::from([(ours, frame.constant(&wide.values[&weight(wide)]))]);
    let input = frame.constant(&wide.values[&wide.graph.inputs[0]]);
    let value = replay(narrow, &frame, input, &leaves).expect("every operation is supported");
    Tensor::<4>::from_dispatch(value).into_data()
}

#[test]
fn a_depthwise_convolution_takes_as_many_groups_as_there_are_channels_now() {
    let function = |channels: usize| {
        move |x: Tensor<4>| {
            let weight = constant(&x, [channels, 1, 3, 3]);
            depthwise(x, weight, channels)
        }
    };
    let input = data(&[2, WIDE, 5, 5]);
    let (narrow, wide) = (
        trace(function(4), data(&[2, 4, 5, 5])),
        trace(function(WIDE), input.clone()),
    );
    let direct = function(WIDE)(Tensor::from_data(input, &Device::flex())).into_data();
    assert_same("Burn's", &widened(&narrow, &wide, false), &direct);
}

#[test]
fn a_transposed_depthwise_convolution_widens_too() {
    let function = |channels: usize| {
        move |x: Tensor<4>| {
            let weight = constant(&x, [channels, 1, 3, 3]);
            let options = ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], channels);
            conv_transpose2d(x, weight, None, options)
        }
    };
    let input = data(&[2, WIDE, 5, 5]);
    let (narrow, wide) = (
        trace(function(4), data(&[2, 4, 5, 5])),
        trace(function(WIDE), input.clone()),
    );
    let direct = function(WIDE)(Tensor::from_data(input, &Device::flex())).into_data();
    assert_same("transposed", &widened(&narrow, &wide, false), &direct);
}

#[test]
fn other_groups_stay_as_they_were_traced() {
    let function = |channels: usize| {
        move |x: Tensor<4>| {
            let weight = constant(&x, [2, channels / 2, 3, 3]);
            conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 2))
        }
    };
    let input = data(&[2, WIDE, 5, 5]);
    let (narrow, wide) = (
        trace(function(4), data(&[2, 4, 5, 5])),
        trace(function(WIDE), input.clone()),
    );
    let direct = function(WIDE)(Tensor::from_data(input, &Device::flex())).into_data();
    assert_same("in groups", &widened(&narrow, &wide, false), &direct);
}

#[test]
fn our_layers_run_on_our_kernels() {
    // Thirds, so that the order of the sums shows in the last bits.
    let dims = [2, 9, 8, 8];
    let function = |x: Tensor<4>| {
        let weight = constant(&x, [3, 9, 3, 3]) / 3.0;
        conv2d(
            x / 3.0,
            weight,
            None,
            ConvOptions::new([2, 1], [1, 0], [1, 1], 1),
        )
    };
    let traced = trace(function, data(&dims));
    let change = Change::new(&traced, &traced);
    let device = Device::flex();
    let run = |fast: bool| {
        let frame = Frame {
            device: device.as_dispatch(),
            float: DType::F32,
            shapes: &|tensor| change.shapes[&tensor.id].clone(),
            ranges: &|op| op.ranges.clone(),
            assigned: &|op| op.ranges.clone(),
            fast: &|id| fast && id == weight(&traced),
            slope_at_zero: burgeon_core::SlopeAtZero::Trained,
        };
        let input = frame.constant(&data(&dims));
        let value = replay(&traced, &frame, input, &HashMap::new());
        Tensor::<4>::from_dispatch(value.expect("every operation is supported")).into_data()
    };
    let x = Tensor::<4>::from_data(data(&dims), &device);
    let weight = constant(&x, [3, 9, 3, 3]) / 3.0;
    let window = Window {
        kernel: [3, 3],
        stride: [2, 1],
        padding: [[1, 1], [0, 0]],
        dilation: [1, 1],
    };
    let kernels = burgeon_ops::conv2d(x.clone() / 3.0, weight, None, window, 1).into_data();
    assert_same("ours", &run(true), &kernels);
    assert_same("Burn's", &run(false), &function(x).into_data());
    assert_ne!(run(true), run(false));
}
