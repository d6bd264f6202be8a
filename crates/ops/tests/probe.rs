//! Gradients within a graph.

use burgeon_ops::probed;
use burn::tensor::{DType, Device, Tensor};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

#[test]
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
fn a_probe_has_the_gradient_where_it_was_set() {
    for device in [Device::flex(), Device::ndarray()] {
        for dtype in [DType::F32, DType::F64] {
            let options = (&device, dtype);
            let plain = Tensor::<2>::from_data([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], options);
            let expected = |factor| values(plain.clone().mul_scalar(factor));
            // Of Σ (2x)²: 8x at x, 4x at 2x, and so at a second probe behind the first.
            let leaf = Tensor::from_inner(plain.clone()).require_grad();
            let (first, probe) = probed(leaf.clone().mul_scalar(2.0));
            let (second, behind) = probed(first);
            assert_eq!(values(second.clone().inner()), expected(2.0));
            let gradients = second.square().sum().backward();
            let at = |tensor: &Tensor<2>| tensor.grad(&gradients).map(values);
            assert_eq!(at(&leaf), Some(expected(8.0)));
            assert_eq!(at(&probe), Some(expected(4.0)));
            assert_eq!(at(&behind), Some(expected(4.0)));
            // What needs no gradient itself.
            let (output, probe) = probed(Tensor::from_inner(plain.clone()));
            let gradients = output.square().sum().backward();
            assert_eq!(probe.grad(&gradients).map(values), Some(expected(2.0)));
        }
    }
}
