//! Activations in one pass against those composed of Burn's operations.

use burgeon_ops::Activation;
use burgeon_ops::activate;
use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;

fn activations() -> impl Strategy<Value = Activation> {
    let beta = 0.5_f64..5.0;
    prop_oneof![
        Just(Activation::relu()),
        beta.prop_map(|beta| Activation::Softplus { beta }),
        Just(Activation::Tanh),
        Just(Activation::Sigmoid),
        Just(Activation::Silu),
        Just(Activation::Gelu),
        Just(Activation::Rbf),
    ]
}

fn values(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

proptest! {
    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn values_and_slopes_are_those_of_the_definition(
        activation in activations(),
        z in prop::collection::vec(-30.0_f64..30.0, 1..40),
        transposed in any::<bool>(),
    ) {
        let count = z.len();
        for device in [Device::flex(), Device::ndarray()] {
            for (dtype, bound) in [(DType::F32, 2e-6), (DType::F64, 1e-13)] {
                let options = (&device, dtype);
                let plain = Tensor::<2>::from_data(TensorData::new(z.clone(), [1, count]), options);
                let leaf = Tensor::from_inner(plain.clone()).require_grad();
                // Also where the values do not lie in the order of the shape.
                let pair = Tensor::cat(vec![leaf.clone(), leaf.clone().mul_scalar(0.5)], 0);
                let read = if transposed { pair.transpose() } else { pair };
                let output = activate(activation, read.clone());
                let expected = activation.value(read.clone().inner());
                let found = values(output.clone().inner());
                for (found, expected) in found.iter().zip(values(expected)) {
                    prop_assert!((found - expected).abs() <= bound * (1.0 + expected.abs()));
                }
                let gradient = leaf.grad(&output.sum().backward()).expect("asked for");
                let slopes = activation.derivative(plain.clone())
                    + activation.derivative(plain.mul_scalar(0.5)).mul_scalar(0.5);
                for (found, expected) in values(gradient).iter().zip(values(slopes)) {
                    prop_assert!(
                        (found - expected).abs() <= 4.0 * bound * (1.0 + expected.abs()),
                        "{activation}, {dtype:?}: {found} {expected}"
                    );
                }
            }
        }
    }
}

/// Far out no value and no slope is NaN.
#[test]
fn large_arguments_do_not_overflow() {
    let device = Device::flex();
    for activation in [
        Activation::Silu,
        Activation::Sigmoid,
        Activation::softplus(),
    ] {
        let z = Tensor::<1>::from_floats([-1e30, -200.0, 200.0, 1e30], &device.clone().autodiff());
        let z = z.require_grad();
        let output = activate(activation, z.clone());
        let slope = z.grad(&output.clone().sum().backward()).expect("asked for");
        for tensor in [output.inner(), slope] {
            let values: Vec<f64> = tensor.into_data().iter().collect();
            assert!(
                values.iter().all(|value| value.is_finite()),
                "{activation}: {values:?}"
            );
        }
    }
}
