//! Max pooling against Burn's own.

use burgeon_ops::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{DType, Device, Distribution, Shape, Tensor, module};
use proptest::prelude::*;

fn run(
    pool: &dyn Fn(Tensor<4>) -> Tensor<4>,
    maps: &Tensor<4>,
    channels_last: bool,
) -> (Vec<f64>, Vec<f64>) {
    let leaf = Tensor::from_inner(maps.clone()).require_grad();
    let read = if channels_last {
        leaf.clone().permute([0, 3, 1, 2])
    } else {
        leaf.clone()
    };
    let output = pool(read);
    // The square makes each output's gradient its own.
    let loss = (output.clone() * output.clone()).sum();
    let gradient = leaf.grad(&loss.backward()).expect("asked for");
    let values = |tensor: Tensor<4>| tensor.into_data().iter().collect();
    (values(output.inner()), values(gradient))
}

proptest! {
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn same_as_burns(
        shape in [1..4_usize, 1..5, 4..12, 4..12],
        kernel in [1..5_usize, 1..5],
        stride in [1..4_usize, 1..4],
        channels_last in any::<bool>(),
    ) {
        for device in [Device::flex(), Device::ndarray()] {
            for dtype in [DType::F32, DType::F64] {
                let [b, c, h, w] = shape;
                let shape = if channels_last { [b, h, w, c] } else { shape };
                let normal = Distribution::Normal(0.0, 1.0);
                let maps = Tensor::<4>::random(Shape::new(shape), normal, (&device, dtype));
                let ours = |maps| max_pool2d(maps, kernel, stride);
                let options = MaxPoolOptions::new(kernel).with_stride(stride);
                let burns = |maps| module::max_pool2d(maps, options.clone());
                let ours = run(&ours, &maps, channels_last);
                let burns = run(&burns, &maps, channels_last);
                prop_assert_eq!(&ours.0, &burns.0);
                for (a, b) in ours.1.iter().zip(&burns.1) {
                    prop_assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()));
                }
            }
        }
    }
}
