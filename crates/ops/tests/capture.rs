//! On a capture device the fast layers record exactly what Burn's own record.

use std::collections::HashMap;

use burgeon_ops::{DepthwiseConv2d, FastBatchNorm, FastConv2d, FastMaxPool2d};
use burn::backend::capture::{CaptureBackend, TensorId};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

fn id<const D: usize>(tensor: &Tensor<D>) -> TensorId {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>();
    primitive.expect("on the capture device").id()
}

/// The operations that `forward` of `model` records for an input of `shape`, tensors numbered as
/// they appear.
fn recorded<M: Module, const D: usize>(
    model: M,
    shape: [usize; D],
    forward: impl Fn(&M, Tensor<D>) -> Tensor<D>,
) -> Vec<String> {
    let device = Device::capture();
    let captured = device.capture_scope(|scope| {
        let model = model.to_device(&device);
        let input = Tensor::ones(shape, &Device::flex()).to_device(&device);
        let inputs = [id(&input)];
        let output = forward(&model, input);
        scope.complete(inputs, [id(&output)])
    });
    let captured = captured.expect("recorded");
    let mut numbers = HashMap::new();
    let operations = captured.graph.operations.iter();
    operations
        .map(|operation| renumbered(&format!("{operation:?}"), &mut numbers))
        .collect()
}

/// `text` with each tensor's number replaced by its place among those that were met.
fn renumbered(text: &str, numbers: &mut HashMap<String, usize>) -> String {
    const MARK: &str = "TensorId { value: ";
    let mut parts = text.split(MARK);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(' ').expect("a number and a brace");
        let next = numbers.len();
        let number = numbers.entry(number.to_owned()).or_insert(next);
        result.push_str(&format!("{MARK}{number} {rest}"));
    }
    result
}

fn names(operations: &[String], name: &str) -> usize {
    operations
        .iter()
        .filter(|operation| operation.contains(name))
        .count()
}

#[test]
fn convolutions() {
    for (padding, groups, bias) in [
        (PaddingConfig2d::Valid, 1, true),
        (PaddingConfig2d::Same, 2, false),
        (PaddingConfig2d::Explicit(1, 2, 0, 3), 1, true),
    ] {
        let burns = Conv2dConfig::new([4, 6], [3, 2])
            .with_stride([2, 1])
            .with_dilation([1, 2])
            .with_groups(groups)
            .with_padding(padding)
            .with_bias(bias)
            .init(&Device::flex());
        let ours = FastConv2d::from(burns.clone());
        let burns = recorded(burns, [2, 4, 9, 8], Conv2d::forward);
        let ours = recorded(ours, [2, 4, 9, 8], FastConv2d::forward);
        assert_eq!(ours, burns);
        assert_eq!(names(&ours, "Conv2d("), 1, "{ours:#?}");
    }
}

#[test]
fn depthwise_convolutions() {
    let burns = Conv2dConfig::new([5, 5], [3, 3])
        .with_groups(5)
        .with_padding(PaddingConfig2d::Same)
        .init(&Device::flex());
    let conv = burns.clone();
    let ours = DepthwiseConv2d {
        weight: conv.weight,
        bias: conv.bias,
        stride: conv.stride,
        dilation: conv.dilation,
        padding: conv.padding,
    };
    let burns = recorded(burns, [2, 5, 9, 8], Conv2d::forward);
    let ours = recorded(ours, [2, 5, 9, 8], DepthwiseConv2d::forward);
    assert_eq!(ours, burns);
    assert_eq!(names(&ours, "Conv2d("), 1, "{ours:#?}");
}

#[test]
fn normalisations() {
    let make = || BatchNormConfig::new(3).init(&Device::flex());
    // Running statistics are shared by clones.
    let ours = || FastBatchNorm::from(make());
    let maps = [
        recorded(make(), [2, 3, 5, 4], |norm, x| norm.forward(x)),
        recorded(ours(), [2, 3, 5, 4], |norm, x| norm.forward(x)),
    ];
    assert_eq!(maps[1], maps[0]);
    assert_eq!(names(&maps[1], "BatchNorm("), 1, "{maps:#?}");
    let rows = [
        recorded(make(), [2, 3], |norm, x| norm.forward(x)),
        recorded(ours(), [2, 3], |norm, x| norm.forward(x)),
    ];
    assert_eq!(rows[1], rows[0]);
}

#[test]
fn poolings() {
    for config in [
        MaxPool2dConfig::new([2, 2]),
        MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 0)),
        MaxPool2dConfig::new([3, 2])
            .with_dilation([1, 2])
            .with_ceil_mode(true),
    ] {
        let burns = recorded(config.init(), [2, 3, 9, 8], |pool, x| pool.forward(x));
        let ours = recorded(
            FastMaxPool2d::from(config.init()),
            [2, 3, 9, 8],
            |pool, x| pool.forward(x),
        );
        assert_eq!(ours, burns);
        assert_eq!(names(&ours, "MaxPool2d("), 1, "{ours:#?}");
    }
}
