//! Gradients flow through a replay, whose constants are not tracked.

use std::collections::HashMap;

use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, Tensor, activation};

use super::{Change, Frame, assert_same, constant, data, replay, trace};

fn function(x: Tensor<4>) -> Tensor<4> {
    let [n, ..] = x.dims();
    let weight = constant(&x, [3, 4, 3, 3]);
    let x = conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    let (mask, addend) = (x.clone().lower_elem(-1.0), constant(&x, [1, 3, 6, 6]));
    let x = activation::gelu(x).mask_fill(mask, 0.5) + addend;
    max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2])).reshape([n, 1, 3, 9])
}

#[test]
fn gradients_through_a_replay_are_those_of_the_function() {
    let dims = [2, 4, 6, 6];
    let traced = trace(function, data(&dims));
    let change = Change::new(&traced, &traced);
    for device in [Device::flex().autodiff(), Device::flex()] {
        let frame = Frame {
            device: device.as_dispatch(),
            float: DType::F32,
            shapes: &|tensor| change.shapes[&tensor.id].clone(),
            ranges: &|op| op.ranges.clone(),
            assigned: &|op| op.ranges.clone(),
            fast: &|_| false,
            slope_at_zero: burgeon_core::SlopeAtZero::Trained,
        };
        let tracked = || {
            let device = Device::flex().autodiff();
            Tensor::<4>::from_data(data(&dims), &device).require_grad()
        };
        let gradient = |x: &Tensor<4>, y: Tensor<4>| {
            let gradients = y.powi_scalar(2).sum().backward();
            x.grad(&gradients)
                .expect("the input is tracked")
                .into_data()
        };
        let x = tracked();
        let y = replay(&traced, &frame, x.clone().into_dispatch(), &HashMap::new());
        let y = Tensor::from_dispatch(y.expect("every operation is supported"));
        let direct = tracked();
        let expected = gradient(&direct, function(direct.clone()));
        assert_same("gradient", &gradient(&x, y), &expected);
    }
}
