//! The convolution against Burn's own and against finite differences.

use burgeon_ops::Window;
use burgeon_ops::{add_conv2d, conv2d};
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{DType, Device, Distribution, Shape, Tensor, module};
use proptest::prelude::*;

/// One convolution.
#[derive(Debug, Clone)]
struct Case {
    batch: usize,
    inputs: usize,
    outputs: usize,
    groups: usize,
    size: [usize; 2],
    window: Window,
    bias: bool,
    /// Whether the input lies with its channels last.
    channels_last: bool,
}

impl Case {
    fn input(&self) -> [usize; 4] {
        [self.batch, self.inputs, self.size[0], self.size[1]]
    }

    fn weight(&self) -> [usize; 4] {
        let [height, width] = self.window.kernel;
        [self.outputs, self.inputs / self.groups, height, width]
    }
}

fn window() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let padding = [pair(0..4), pair(0..4)];
    (pair(1..6), pair(1..4), padding, pair(1..3)).prop_map(|(kernel, stride, padding, dilation)| {
        Window {
            kernel,
            stride,
            padding,
            dilation,
        }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let channels = (1..9_usize, 1..8_usize, 1..4_usize);
    let sizes = (1..12_usize, [1..14_usize, 1..14]);
    let flags = any::<[bool; 2]>();
    (channels, sizes, window(), flags)
        .prop_map(
            |((inputs, outputs, groups), (batch, size), window, flags)| Case {
                batch,
                inputs: inputs * groups,
                outputs: outputs * groups,
                groups,
                size,
                window,
                bias: flags[0],
                channels_last: flags[1],
            },
        )
        .prop_filter("the kernel fits", |case| {
            !case.window.output_size(case.size).contains(&0)
        })
}

/// Channels enough to fill the lanes of a vector, and an odd number of vectors, on one side at
/// least; every second one without padding and stride, among them pointwise ones.
fn wide() -> impl Strategy<Value = Case> {
    let channels = (1..60_usize, 1..60_usize, 1..3_usize);
    (case(), channels, any::<bool>()).prop_map(|(case, (inputs, outputs, groups), plain)| {
        let mut window = case.window;
        if plain {
            window.kernel = [0, 1].map(|axis| window.kernel[axis].min(case.size[axis]).min(3));
            window.stride = [1, 1];
            window.padding = [[0, 0]; 2];
            window.dilation = [1, 1];
        }
        Case {
            batch: case.batch.min(3),
            inputs: inputs * groups,
            outputs: outputs * groups,
            groups,
            window,
            ..case
        }
    })
}

fn depthwise() -> impl Strategy<Value = Case> {
    case().prop_map(|case| Case {
        groups: case.inputs,
        outputs: case.inputs * (1 + case.outputs % 2),
        ..case
    })
}

type Convolution<'a> = &'a dyn Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4>;

/// Output, and the gradients of input, weight and bias.
fn run(
    convolution: Convolution<'_>,
    leaves: &(Tensor<4>, Tensor<4>, Option<Tensor<1>>),
    upstream: Option<&Tensor<4>>,
    channels_last: bool,
) -> (Tensor<4>, Vec<f64>) {
    let leaf = |tensor: &Tensor<4>| Tensor::from_inner(tensor.clone()).require_grad();
    let (input, weight) = (leaf(&leaves.0), leaf(&leaves.1));
    let bias = leaves
        .2
        .clone()
        .map(|bias| Tensor::from_inner(bias).require_grad());
    let read = if channels_last {
        input.clone().permute([0, 3, 1, 2])
    } else {
        input.clone()
    };
    let output = convolution(read, weight.clone(), bias.clone());
    let upstream = match upstream {
        Some(upstream) => Tensor::from_inner(upstream.clone()),
        None => output.ones_like(),
    };
    let gradients = (output.clone() * upstream).sum().backward();
    let values = |gradient: Option<Tensor<4>>| -> Vec<f64> {
        let gradient = gradient.expect("asked for");
        gradient.into_data().iter().collect()
    };
    let mut found = values(input.grad(&gradients));
    found.extend(values(weight.grad(&gradients)));
    if let Some(bias) = bias {
        let gradient = bias.grad(&gradients).expect("asked for");
        found.extend(gradient.into_data().iter::<f64>());
    }
    (output.inner(), found)
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    let scale = b
        .iter()
        .fold(1e-30_f64, |most, value| most.max(value.abs()));
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    assert_eq!(a.len(), b.len());
    difference.fold(0.0, f64::max) / scale
}

fn random<const D: usize>(shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    Tensor::random(
        Shape::new(shape),
        Distribution::Normal(0.0, 1.0),
        (device, dtype),
    )
}

fn leaves(case: &Case, device: &Device, dtype: DType) -> (Tensor<4>, Tensor<4>, Option<Tensor<1>>) {
    let [batch, inputs, height, width] = case.input();
    let shape = if case.channels_last {
        [batch, height, width, inputs]
    } else {
        case.input()
    };
    let bias = case.bias.then(|| random([case.outputs], device, dtype));
    (
        random(shape, device, dtype),
        random(case.weight(), device, dtype),
        bias,
    )
}

fn same_as_burns(case: &Case, device: &Device) -> Result<(), TestCaseError> {
    for (dtype, bound) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        let leaves = leaves(case, device, dtype);
        let ours = |input, weight, bias| conv2d(input, weight, bias, case.window, case.groups);
        let Window {
            stride,
            padding: [[top, bottom], [left, right]],
            dilation,
            ..
        } = case.window;
        let options = ConvOptions::new(stride, [0, 0], dilation, case.groups);
        // Burn's CPU backends pad both sides alike, so the input is padded before.
        let burns = |input: Tensor<4>, weight, bias| {
            let input = input.pad((left, right, top, bottom), PadMode::Constant(0.0));
            module::conv2d(input, weight, bias, options.clone())
        };
        let [height, width] = case.window.output_size(case.size);
        let upstream = random([case.batch, case.outputs, height, width], device, dtype);
        let ours = run(&ours, &leaves, Some(&upstream), case.channels_last);
        let burns = run(&burns, &leaves, Some(&upstream), case.channels_last);
        prop_assert_eq!(ours.0.dims(), burns.0.dims());
        let outputs =
            [ours.0, burns.0].map(|output| output.into_data().iter().collect::<Vec<f64>>());
        let found = difference(&outputs[0], &outputs[1]);
        prop_assert!(found <= bound, "{dtype:?}: outputs differ by {found:e}");
        // Sums over samples and positions: rounding grows with the root of their number.
        let found = difference(&ours.1, &burns.1);
        prop_assert!(found <= bound, "{dtype:?}: gradients differ by {found:e}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn same_as_burns_on_flex(case in case()) {
        same_as_burns(&case, &Device::flex())?;
    }

    #[test]
    fn depthwise_same_as_burns_on_flex(case in depthwise()) {
        same_as_burns(&case, &Device::flex())?;
    }

    #[test]
    fn wide_same_as_burns_on_flex(case in wide()) {
        same_as_burns(&case, &Device::flex())?;
    }

    #[test]
    #[expect(deprecated, reason = "the ndarray backend is one of the two that are served")]
    fn same_as_burns_on_ndarray(case in case()) {
        same_as_burns(&case, &Device::ndarray())?;
    }

    #[test]
    fn added_onto_maps(case in prop_oneof![case(), depthwise(), wide()], double: bool) {
        let dtype = if double { DType::F64 } else { DType::F32 };
        for device in [Device::flex(), Device::flex().autodiff()] {
            let normal = Distribution::Normal(0.0, 1.0);
            let random = |shape: [usize; 4]| Tensor::<4>::random(shape, normal, (&device, dtype));
            let (input, weight) = (random(case.input()), random(case.weight()));
            let convolved = conv2d(input.clone(), weight.clone(), None, case.window, case.groups);
            let maps = random(convolved.dims());
            let expected = maps.clone() + convolved;
            let held = add_conv2d(maps.clone(), input.clone(), weight.clone(), case.window, case.groups);
            prop_assert!(held.clone().equal(expected.clone()).all().into_scalar::<bool>());
            // Nothing else holds the maps any more.
            let taken = add_conv2d(maps, input, weight, case.window, case.groups);
            prop_assert!(taken.equal(expected).all().into_scalar::<bool>());
        }
    }

    /// Each gradient, along a random direction, in f64.
    #[test]
    fn gradients_are_those_of_finite_differences(case in prop_oneof![case(), depthwise(), wide()]) {
        let device = Device::flex();
        let leaves = leaves(&case, &device, DType::F64);
        let steps = self::leaves(&case, &device, DType::F64);
        let convolution = |input, weight, bias| {
            // The square makes the loss bend, so that a constant gradient would be found out.
            let output = conv2d(input, weight, bias, case.window, case.groups);
            output.clone() * output
        };
        let (_, gradient) = run(&convolution, &leaves, None, case.channels_last);
        let mut step: Vec<f64> = steps.0.clone().into_data().iter().collect();
        step.extend(steps.1.clone().into_data().iter::<f64>());
        if let Some(bias) = &steps.2 {
            step.extend(bias.clone().into_data().iter::<f64>());
        }
        let along: f64 = gradient.iter().zip(&step).map(|(g, s)| g * s).sum();
        let h = 1e-5;
        let loss = |h: f64| -> f64 {
            let moved = (
                leaves.0.clone() + steps.0.clone().mul_scalar(h),
                leaves.1.clone() + steps.1.clone().mul_scalar(h),
                leaves.2.clone().zip(steps.2.clone()).map(|(b, s)| b + s.mul_scalar(h)),
            );
            let (output, _) = run(&convolution, &moved, None, case.channels_last);
            output.sum().into_scalar()
        };
        let measured = (loss(h) - loss(-h)) / (2.0 * h);
        let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = scale * step.iter().map(|s| s * s).sum::<f64>().sqrt();
        prop_assert!((along - measured).abs() <= 1e-7 * scale.max(1e-3), "{along} {measured}");
    }
}

/// A window that reads further than the maps reach, on every side.
#[test]
fn kernel_larger_than_the_input() {
    let case = Case {
        batch: 1,
        inputs: 1,
        outputs: 1,
        groups: 1,
        size: [2, 1],
        window: Window {
            kernel: [5, 5],
            stride: [1, 2],
            padding: [[3, 3], [2, 2]],
            dilation: [1, 1],
        },
        bias: true,
        channels_last: false,
    };
    same_as_burns(&case, &Device::flex()).expect("the same");
}

/// The same bits with one thread and with several.
#[test]
fn threads_do_not_change_a_bit() {
    threads_do_not_matter([5, 7]);
    threads_do_not_matter([20, 40]);
}

fn threads_do_not_matter([inputs, outputs]: [usize; 2]) {
    let case = Case {
        batch: 37,
        inputs,
        outputs,
        groups: 1,
        size: [9, 7],
        window: Window {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [[1, 1], [1, 1]],
            dilation: [1, 1],
        },
        bias: true,
        channels_last: false,
    };
    let leaves = leaves(&case, &Device::flex(), DType::F32);
    let ours = |input, weight, bias| conv2d(input, weight, bias, case.window, 1);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        pool.install(|| run(&ours, &leaves, None, false).1)
    };
    assert_eq!(with(1), with(3));
}
