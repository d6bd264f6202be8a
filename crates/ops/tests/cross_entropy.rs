//! The cross entropy and its gradient against their definition.

use burgeon_ops::cross_entropy;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use proptest::prelude::*;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

/// The mean of `−ln softmax(z)_c` and its gradient, row by row.
fn defined(logits: &[f64], outputs: usize, classes: &[i64]) -> (f64, Vec<f64>) {
    let rows = classes.len() as f64;
    let (mut loss, mut gradient) = (0.0, Vec::new());
    for (line, class) in logits.chunks(outputs).zip(classes) {
        let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = line.iter().map(|z| (z - largest).exp()).sum();
        loss += (sum.ln() + largest - line[*class as usize]) / rows;
        for (output, z) in line.iter().enumerate() {
            let hit = f64::from(u8::from(output as i64 == *class));
            gradient.push(((z - largest).exp() / sum - hit) / rows);
        }
    }
    (loss, gradient)
}

proptest! {
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn loss_and_gradient_are_those_of_the_definition(
        rows in prop::collection::vec((prop::collection::vec(-40.0_f64..40.0, 5), 0_i64..5), 1..30),
        transposed in any::<bool>(),
    ) {
        let logits: Vec<f64> = rows.iter().flat_map(|(logits, _)| logits.clone()).collect();
        let classes: Vec<i64> = rows.iter().map(|(_, class)| *class).collect();
        let count = classes.len();
        for device in [Device::flex(), Device::ndarray()] {
            for (dtype, bound) in [(DType::F32, 3e-6), (DType::F64, 1e-13)] {
                let data = TensorData::new(logits.clone(), [count, 5]);
                let plain = Tensor::<2>::from_data(data, (&device, dtype));
                let (loss, gradient) = defined(&values(plain.clone()), 5, &classes);
                let leaf = Tensor::from_inner(plain).require_grad();
                // Also where the values do not lie in the order of the shape.
                let read = match transposed {
                    true => Tensor::cat(vec![leaf.clone().transpose()], 0).transpose(),
                    false => leaf.clone(),
                };
                let classes = TensorData::new(classes.clone(), [count]);
                let classes = Tensor::<1, Int>::from_data(classes, &device);
                let found = cross_entropy(read, Tensor::from_inner(classes)).mul_scalar(3.0);
                let off = values(found.clone().inner())[0] / 3.0 - loss;
                prop_assert!(off.abs() <= bound * (1.0 + loss), "{off}");
                let slopes = leaf.grad(&found.backward()).expect("asked for");
                for (found, expected) in values(slopes).iter().zip(gradient) {
                    prop_assert!((found / 3.0 - expected).abs() <= bound, "{found} {expected}");
                }
            }
        }
    }
}

#[test]
fn logits_far_apart_neither_overflow_nor_vanish() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_data([[3e38_f32, -3e38, 0.0], [1e4, 1e4, -1e4]], &device);
    let classes = Tensor::<1, Int>::from_data([0, 1], &device);
    let found = values(cross_entropy(logits, classes))[0];
    assert!((found - 0.5 * 2.0_f64.ln()).abs() < 1e-6, "{found}");
    let nan = Tensor::<2>::from_data([[f32::NAN, 0.0]], &device);
    let classes = Tensor::<1, Int>::from_data([1], &device);
    assert!(values(cross_entropy(nan, classes))[0].is_nan());
}
