//! Names, and what no replay repeats.

use std::collections::HashMap;

use burn::tensor::{DType, Device, Distribution, Tensor};

use super::{Change, Frame, Unsupported, computed, data, kind, replay, trace};

#[test]
fn kinds_are_named_by_their_operation() {
    let traced = trace(
        |x: Tensor<2>| {
            let w = x.clone().slice([0..2, 0..2]).int().float();
            burn::tensor::activation::relu(x.matmul(w).reshape([1, 4]) + 1.0)
        },
        data(&[2, 2]),
    );
    let kinds: Vec<_> = computed(&traced).map(kind).collect();
    let expected = [
        "Slice",
        "IntoInt",
        "IntoFloat",
        "Matmul",
        "Reshape",
        "AddScalar",
        "Relu",
    ];
    assert_eq!(kinds, expected);
    let first = &traced.graph.operations[0];
    assert_eq!(kind(first), "Init");
}

fn refused(function: impl Fn(Tensor<2>) -> Tensor<2>) -> Unsupported {
    let traced = trace(function, data(&[2, 6]));
    let change = Change::new(&traced, &traced);
    let device = Device::flex();
    let frame = Frame {
        device: device.as_dispatch(),
        float: DType::F32,
        shapes: &|tensor| change.shapes[&tensor.id].clone(),
        ranges: &|op| op.ranges.clone(),
        assigned: &|op| op.ranges.clone(),
        fast: &|_| false,
        slope_at_zero: burgeon_core::SlopeAtZero::Trained,
    };
    let input = frame.constant(&data(&[2, 6]));
    replay(&traced, &frame, input, &HashMap::new()).expect_err("the operation is not repeatable")
}

#[test]
fn draws_and_several_results_are_refused_by_name() {
    let drawn = refused(|x| x.random_like(Distribution::Default) + x);
    assert_eq!(drawn.operation, "Random");
    assert!(
        drawn
            .to_string()
            .starts_with("operation Random cannot be replayed")
    );
    let several = refused(|x| x.max_dim_with_indices(1).0);
    assert_eq!(several.operation, "MaxDimWithIndices");
    let sorted = refused(|x| x.sort_with_indices(1).0);
    assert_eq!(sorted.operation, "SortWithIndices");
}
