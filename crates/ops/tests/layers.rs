//! The fast layers against Burn's own: values, gradients, running statistics.

use burgeon_ops::{
    DepthwiseConv2d, FastBatchNorm, FastBatchNormConfig, FastConv2d, FastConv2dConfig,
    FastMaxPool2d, FastMaxPool2dConfig,
};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{DType, Device, Distribution, Gradients, Tensor};
use proptest::prelude::*;

/// Devices, types and how near results are to be, relative to the largest.
#[expect(
    deprecated,
    reason = "the ndarray backend is one of the two that are served"
)]
fn settings() -> [(Device, DType, f64); 4] {
    [
        (Device::flex(), DType::F32, 1e-5),
        (Device::flex(), DType::F64, 1e-10),
        (Device::ndarray(), DType::F32, 1e-5),
        (Device::ndarray(), DType::F64, 1e-10),
    ]
}

fn normal<const D: usize>(shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), (device, dtype))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let plain = match tensor.is_autodiff() {
        true => tensor.inner(),
        false => tensor,
    };
    plain.into_data().iter().collect()
}

/// The first values that are further apart than `tolerance`, relative to the largest. Where a window
/// lies in the padding alone both are −∞, and their gradients no numbers.
fn apart(ours: &[f64], burns: &[f64], tolerance: f64) -> Option<(f64, f64)> {
    assert_eq!(ours.len(), burns.len());
    let finite = burns.iter().filter(|value| value.is_finite());
    let scale = finite.fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let is_near = |(a, b): &(f64, f64)| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale
    };
    let mut pairs = ours.iter().copied().zip(burns.iter().copied());
    pairs.find(|pair| !is_near(pair))
}

/// Reads the gradient of a parameter.
type ParamGradient<'a> = &'a dyn Fn(&Gradients) -> Vec<f64>;

/// A parameter of the same type on an autodiff device.
fn param<const D: usize>(value: &Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_inner(value.clone()))
}

/// What a layer answers, and the gradients of its input and parameters for the loss
/// `Σ output²`, in which each output's gradient is its own.
fn trained<const D: usize>(
    input: &Tensor<D>,
    forward: impl Fn(Tensor<D>) -> Tensor<D>,
    params: &[ParamGradient<'_>],
) -> Vec<Vec<f64>> {
    let input = Tensor::from_inner(input.clone()).require_grad();
    let output = forward(input.clone());
    let gradients = (output.clone() * output.clone()).sum().backward();
    let mut found = vec![
        values(output),
        values(input.grad(&gradients).expect("asked for")),
    ];
    found.extend(params.iter().map(|param| param(&gradients)));
    found
}

fn gradient<const D: usize>(param: &Param<Tensor<D>>) -> impl Fn(&Gradients) -> Vec<f64> {
    let tensor = param.val();
    move |gradients| values(tensor.grad(gradients).expect("asked for"))
}

fn padding() -> impl Strategy<Value = PaddingConfig2d> {
    prop_oneof![
        Just(PaddingConfig2d::Same),
        Just(PaddingConfig2d::Valid),
        [0..3_usize, 0..3, 0..3, 0..3].prop_map(|[top, left, bottom, right]| {
            PaddingConfig2d::Explicit(top, left, bottom, right)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn convolutions_are_burns(
        batch in 1..4_usize,
        [inputs, outputs] in [1..4_usize, 1..4],
        groups in 1..4_usize,
        size in [7..12_usize, 7..12],
        kernel in [1..4_usize, 1..4],
        stride in [1..3_usize, 1..3],
        dilation in [1..3_usize, 1..3],
        padding in padding(),
        bias: bool,
    ) {
        let channels = [inputs * groups, outputs * groups];
        for (device, dtype, tolerance) in settings() {
            let weight = normal([channels[1], inputs, kernel[0], kernel[1]], &device, dtype);
            let weight = param(&weight);
            let bias = bias.then(|| param(&normal([channels[1]], &device, dtype)));
            let burns = Conv2d {
                weight: weight.clone(),
                bias: bias.clone(),
                stride,
                kernel_size: kernel,
                dilation,
                groups,
                padding: padding.clone(),
            };
            let ours = FastConv2d::from(burns.clone());
            let input = normal([batch, channels[0], size[0], size[1]], &device, dtype);
            let weight = gradient(&weight);
            let bias = bias.as_ref().map(gradient);
            let mut params: Vec<ParamGradient<'_>> = vec![&weight];
            if let Some(bias) = &bias {
                params.push(bias);
            }
            let burns = trained(&input, |input| burns.forward(input), &params);
            let ours = trained(&input, |input| ours.forward(input), &params);
            for (ours, burns) in ours.iter().zip(&burns) {
                prop_assert_eq!(apart(ours, burns, tolerance), None);
            }
        }
    }

    #[test]
    fn depthwise_convolutions_are_burns(
        batch in 1..4_usize,
        channels in 1..20_usize,
        size in [7..12_usize, 7..12],
        kernel in [1..4_usize, 1..4],
        stride in [1..3_usize, 1..3],
        dilation in [1..3_usize, 1..3],
        padding in padding(),
    ) {
        for (device, dtype, tolerance) in settings() {
            let weight = param(&normal([channels, 1, kernel[0], kernel[1]], &device, dtype));
            let bias = param(&normal([channels], &device, dtype));
            let burns = Conv2d {
                weight: weight.clone(),
                bias: Some(bias.clone()),
                stride,
                kernel_size: kernel,
                dilation,
                groups: channels,
                padding: padding.clone(),
            };
            let ours = DepthwiseConv2d {
                weight: weight.clone(),
                bias: Some(bias.clone()),
                stride,
                dilation,
                padding: padding.clone(),
            };
            let input = normal([batch, channels, size[0], size[1]], &device, dtype);
            let (weight, bias) = (gradient(&weight), gradient(&bias));
            let burns = trained(&input, |input| burns.forward(input), &[&weight, &bias]);
            let ours = trained(&input, |input| ours.forward(input), &[&weight, &bias]);
            for (ours, burns) in ours.iter().zip(&burns) {
                prop_assert_eq!(apart(ours, burns, tolerance), None);
            }
        }
    }

    #[test]
    fn poolings_are_burns(
        size in [7..12_usize, 7..12],
        kernel in [1..4_usize, 1..4],
        stride in [1..4_usize, 1..4],
        dilation in [1..3_usize, 1..3],
        padding in padding(),
        ceil_mode: bool,
    ) {
        for (device, dtype, tolerance) in settings() {
            let config = MaxPool2dConfig::new(kernel)
                .with_strides(stride)
                .with_dilation(dilation)
                .with_padding(padding.clone())
                .with_ceil_mode(ceil_mode);
            let burns = config.init();
            let ours = FastMaxPool2d::from(burns.clone());
            let input = normal([2, 3, size[0], size[1]], &device, dtype);
            let burns = trained(&input, |input| burns.forward(input), &[]);
            let ours = trained(&input, |input| ours.forward(input), &[]);
            for (ours, burns) in ours.iter().zip(&burns) {
                prop_assert_eq!(apart(ours, burns, tolerance), None);
            }
        }
    }
}

/// A layer of Burn's and ours with the same parameters and running statistics of their own.
fn norms(channels: usize, device: &Device, dtype: DType) -> (BatchNorm, FastBatchNorm) {
    let [gamma, beta] = [(); 2].map(|()| param(&normal([channels], device, dtype)));
    let training = device.clone().autodiff();
    let statistics = |value: f64| {
        let value = Tensor::full([channels], value, (&training, dtype));
        burn::module::RunningState::new(value)
    };
    let make = || BatchNorm {
        gamma: gamma.clone(),
        beta: beta.clone(),
        training: Param::from_bool(true),
        running_mean: statistics(0.25),
        running_var: statistics(1.5),
        momentum: 0.3,
        epsilon: 1e-4,
    };
    (make(), make().into())
}

#[test]
fn normalisations_are_burns_in_training_and_after_it() {
    fn check<const D: usize>(shape: [usize; D]) {
        for (device, dtype, tolerance) in settings() {
            let (burns, ours) = norms(shape[1], &device, dtype);
            let params = [gradient(&burns.gamma), gradient(&burns.beta)];
            let params: Vec<ParamGradient<'_>> = params.iter().map(|param| param as _).collect();
            for step in 0..3 {
                let input = normal(shape, &device, dtype)
                    .mul_scalar(2.0)
                    .add_scalar(0.7);
                let expected = trained(&input, |input| burns.forward(input), &params);
                let found = trained(&input, |input| ours.forward(input), &params);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(apart(found, expected, tolerance), None, "step {step}");
                }
                for (found, expected) in [
                    (&ours.running_mean, &burns.running_mean),
                    (&ours.running_var, &burns.running_var),
                ] {
                    let [found, expected] =
                        [found, expected].map(|state| values(state.value_sync()));
                    assert_eq!(apart(&found, &expected, tolerance), None, "step {step}");
                }
            }
            let input = normal(shape, &device, dtype);
            let expected = values(burns.valid().forward(input.clone()));
            let found = values(ours.valid().forward(input));
            assert_eq!(apart(&found, &expected, tolerance), None);
        }
    }
    check([6, 5]);
    check([4, 3, 7]);
    check([4, 3, 5, 6]);
}

#[test]
fn a_frozen_normalisation_keeps_its_statistics() {
    let (burns, ours) = norms(3, &Device::flex(), DType::F32);
    let (burns, ours) = (burns.freeze(), ours.freeze());
    let input = Tensor::from_inner(normal([4, 3, 5, 6], &Device::flex(), DType::F32));
    let found = values(ours.forward(input.clone()));
    assert_eq!(apart(&found, &values(burns.forward(input)), 1e-6), None);
    assert_eq!(values(ours.running_mean.value_sync()), [0.25; 3]);
}

#[test]
fn a_layer_is_as_wide_as_its_weight() {
    let device = Device::flex();
    let mut conv = FastConv2dConfig::new([3, 4], [3, 3]).init(&device);
    conv.weight = Param::from_tensor(Tensor::ones([7, 2, 5, 1], &device));
    conv.bias = None;
    assert_eq!(
        conv.forward(Tensor::ones([1, 2, 9, 9], &device)).dims(),
        [1, 7, 5, 9]
    );
    let mut depthwise = burgeon_ops::DepthwiseConv2dConfig::new(3, [3, 3])
        .with_bias(false)
        .init(&device);
    depthwise.weight = Param::from_tensor(Tensor::ones([5, 1, 3, 3], &device));
    assert_eq!(
        depthwise
            .forward(Tensor::ones([1, 5, 9, 9], &device))
            .dims(),
        [1, 5, 7, 7]
    );
}

/// Names, shapes and values of parameters and statistics, in order.
#[derive(Default)]
struct Named(Vec<String>, Vec<(String, Vec<usize>)>);

impl burn::module::ModuleVisitor for Named {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1.push((self.0.join("."), param.dims().to_vec()));
    }
}

fn named(module: &impl Module) -> Vec<(String, Vec<usize>)> {
    let mut visitor = Named::default();
    module.visit(&mut visitor);
    visitor.1
}

#[test]
fn defaults_and_parameter_names_are_burns() {
    let device = Device::flex();
    let burns: Conv2d = Conv2dConfig::new([4, 6], [3, 5]).init(&device);
    let ours = FastConv2dConfig::new([4, 6], [3, 5]).init(&device);
    assert_eq!(named(&ours), named(&burns));
    assert_eq!(
        (ours.stride, ours.dilation, ours.groups, ours.padding),
        (burns.stride, burns.dilation, burns.groups, burns.padding)
    );
    let limit = 1.0 / f64::from(4 * 3 * 5_u16).sqrt();
    let drawn = values(ours.weight.val());
    let largest = drawn
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    assert!(
        largest <= limit && largest > 0.9 * limit,
        "{largest} {limit}"
    );

    let burns = BatchNormConfig::new(3).init(&device);
    let ours = FastBatchNormConfig::new(3).init(&device);
    assert_eq!(named(&ours), named(&burns));
    assert_eq!(
        (ours.momentum, ours.epsilon),
        (burns.momentum, burns.epsilon)
    );

    let burns: MaxPool2d = MaxPool2dConfig::new([2, 3]).init();
    let ours = FastMaxPool2dConfig::new([2, 3]).init();
    assert_eq!(
        (
            ours.kernel_size,
            ours.stride,
            ours.padding,
            ours.dilation,
            ours.ceil_mode
        ),
        (
            burns.kernel_size,
            burns.stride,
            burns.padding,
            burns.dilation,
            burns.ceil_mode
        )
    );
}
