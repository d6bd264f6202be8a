//! Parameters as published, and that every network grows.

use std::sync::Arc;

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_core::cost::{CostModel, Geometry, Macs};
use burgeon_core::criterion::Candidate;
use burgeon_core::growth::Side;
use burgeon_core::{Landscape, Plan};
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::growable::{cast, parameter_count};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{CrossEntropy, Growable, ModelLandscape, Samples, retrace, trace};
use burgeon_zoo::{
    Activation, DsCnn, MobileNetV1, MobileNetV2, ResNet, Stem, Vgg, VggHead, ZooError,
};
use burn::tensor::{DType, Device, Tensor};

fn device() -> Device {
    FLEX.device()
}

/// torchvision's documentation for the ImageNet networks; the reference code of MobileNetV1's
/// paper; VGG-19 with BatchNorm and one linear layer, which is usual for CIFAR-10.
#[test]
fn parameters_are_the_published_ones() -> Result<(), ZooError> {
    let (images, relu) = ([3, 1000], Activation::Relu);
    let v1 = MobileNetV1::new(
        &MobileNetV1::WIDTHS,
        Stem::LargeImages,
        images,
        relu,
        &device(),
    )?;
    assert_eq!(parameter_count(&v1), 4_231_976);
    let v2 = MobileNetV2::new(
        [32, 1280],
        &MobileNetV2::STAGES,
        Stem::LargeImages,
        images,
        Activation::Relu6,
        &device(),
    )?;
    assert_eq!(parameter_count(&v2), 3_504_872);
    let resnet = ResNet::resnet_18(64, Stem::LargeImages, images, relu, &device())?;
    assert_eq!(parameter_count(&resnet), 11_689_512);
    let dense = VggHead::Dense {
        width: 4096,
        positions: 49,
    };
    let vgg =
        |stages, head, shape| Vgg::new(stages, &Vgg::widths(stages), head, shape, relu, &device());
    assert_eq!(
        parameter_count(&vgg(Vgg::VGG_19, dense, images)?),
        143_678_248
    );
    let small = vgg(Vgg::VGG_19, VggHead::Means, [3, 10])?;
    assert_eq!(parameter_count(&small), 20_040_522);
    // "0.27M" in table 6 of the paper, whose shortcuts have no parameters.
    let resnet = ResNet::resnet_20(16, [3, 10], relu, &device())?;
    assert_eq!(parameter_count(&resnet) - 2_752, 269_722);
    Ok(())
}

fn samples(shape: [usize; 3], classes: usize) -> Samples<Tensor<4>> {
    let [c, h, w] = shape;
    let count = 6;
    let numbers = count * c * h * w;
    let ramp = Tensor::<1, burn::tensor::Int>::arange(0..numbers as i64, &device()).float();
    let inputs = (ramp.cast(DType::F64) * 0.37)
        .sin()
        .reshape([count, c, h, w]);
    let labels: Vec<usize> = (0..count).map(|i| i % classes).collect();
    Samples::classification(inputs, &labels, classes, &device()).expect("sound")
}

/// Traces `net`, and tries a new neuron at every site.
fn grows<M: Growable<Input = Tensor<4>, Output = Tensor<2>>>(
    name: &str,
    net: &M,
    shape: [usize; 3],
    sites: usize,
) {
    let (net, samples) = (&cast(net, DType::F64), samples(shape, 4));
    let trace = Arc::new(trace(net, &samples).unwrap_or_else(|e| panic!("{name}: {e}")));
    let found: Vec<_> = trace.graph().growable().collect();
    assert_eq!(found.len(), sites, "{name}\n{}", trace.graph());
    let landscape = ModelLandscape::new(net, trace.clone(), &CrossEntropy, &samples, 3, &FLEX);
    let new = |site: &burgeon_core::Site| {
        let fan_in = (0..site.dim).map(|i| (i as f64 * 0.7).sin()).collect();
        let fan_out = (0..site.fan_out).map(|i| (i as f64 * 1.3).cos()).collect();
        Candidate::new_neuron(site, fan_in, fan_out, Side::FanOut)
    };
    let plan = Plan::new("all", landscape.sites().iter().map(new).collect());
    let search = landscape.losses(&plan, &[0.0]);
    let search = search.unwrap_or_else(|e| panic!("{name}: {e}"));
    let same = search.trials[0].loss.expect("finite");
    assert!((same - search.baseline).abs() < 1e-12, "{name}");
    let (grown, _) =
        apply_plan(net, trace.graph(), &plan, 0.1).unwrap_or_else(|e| panic!("{name}: {e}"));
    let again = retrace(&grown, &samples).unwrap_or_else(|e| panic!("{name}: {e}"));
    let wider = trace.graph().widths().into_iter();
    let wider: Vec<_> = wider.map(|(site, width)| (site, width + 1)).collect();
    assert_eq!(again.graph().widths(), wider, "{name}");
    let answers = grown.predict(samples.inputs().clone());
    assert!(answers.is_finite().all().into_scalar::<bool>(), "{name}");
}

#[test]
fn every_network_grows() -> Result<(), ZooError> {
    let (shape, small, silu) = ([3, 16, 16], [3, 4], Activation::Silu);
    let on = device().autodiff();
    let v1 = MobileNetV1::new(&[3; 14], Stem::SmallImages, small, silu, &on)?;
    grows("MobileNetV1", &v1, shape, 14);
    let v2 = MobileNetV2::new(
        [4, 6],
        &MobileNetV2::STAGES.map(|stage| burgeon_zoo::Stage {
            width: 3,
            expansion: 2,
            ..stage
        }),
        Stem::SmallImages,
        small,
        Activation::Relu6,
        &on,
    )?;
    // 17 expanded stages, the trunk between two strides, the last convolution.
    let deep = cast(&v2, DType::F64);
    let trace = trace(&deep, &samples(shape, 4)).expect("traceable");
    let sites = trace.graph().growable().count();
    grows("MobileNetV2", &v2, shape, sites);
    assert!(sites > 17, "{}", trace.graph());
    let widths = vec![4; 8];
    let vgg = Vgg::new(
        Vgg::VGG_11,
        &widths,
        VggHead::Means,
        small,
        Activation::Gelu,
        &on,
    )?;
    grows("VGG-11", &vgg, [3, 32, 32], 8);
    let resnet = ResNet::resnet_20(3, small, Activation::Relu, &on)?;
    grows("ResNet-20", &resnet, shape, 9 + 3);
    let resnet = ResNet::resnet_18(2, Stem::LargeImages, small, silu, &on)?;
    grows("ResNet-18", &resnet, [3, 64, 64], 8 + 4);
    let spoken = DsCnn::new(&[4; 5], 4, silu, &on)?;
    grows("DS-CNN", &spoken, [1, 24, 13], 5);
    Ok(())
}

#[test]
fn resolutions_and_costs_are_as_published() -> Result<(), ZooError> {
    let v1 = MobileNetV1::new(
        &MobileNetV1::WIDTHS,
        Stem::LargeImages,
        [3, 4],
        Activation::Relu,
        &device(),
    )?;
    let v1 = cast(&v1, DType::F64);
    let layers = layer_shapes(&v1, &samples([3, 224, 224], 4)).expect("traceable");
    // 568,740,352 with 1,000 classes in the paper's reference code.
    assert_eq!(Macs.cost(&layers) + 996 * 1024, 568_740_352);
    let windows: Vec<&Geometry> = layers
        .iter()
        .filter(|layer| layer.taps == 9)
        .map(|layer| &layer.geometry)
        .collect();
    let stem = Geometry {
        kernel: [3, 3],
        stride: [2, 2],
        input: [224, 224],
        output: [112, 112],
        groups: 1,
    };
    assert_eq!(windows[0], &stem);
    let strides: Vec<usize> = windows.iter().map(|window| window.stride[0]).collect();
    assert_eq!(strides, [2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]);
    assert_eq!(windows[13].output, [7, 7]);
    let spoken = DsCnn::new(&[64; 5], 12, Activation::Relu, &device())?;
    let answers = spoken.predict(Tensor::zeros([2, 1, 49, 10], &device()));
    assert_eq!(answers.dims(), [2, 12]);
    Ok(())
}

#[test]
fn what_cannot_be_made_is_said() {
    let silu = Activation::Silu;
    let refused = |error: Option<ZooError>, said: &str| {
        let error = error.expect("refused").to_string();
        assert!(error.contains(said), "{error}");
    };
    let v1 = |widths: &[usize], shape| {
        MobileNetV1::new(widths, Stem::SmallImages, shape, silu, &device()).err()
    };
    refused(v1(&[8; 3], [3, 10]), "14 widths, not 3");
    refused(v1(&[], [3, 10]), "14 widths, not 0");
    refused(v1(&[0; 14], [3, 10]), "width number 1 is 0");
    refused(v1(&[8; 14], [3, 0]), "classes is 0");
    let vgg = |widths: &[usize]| {
        Vgg::new(
            Vgg::VGG_11,
            widths,
            VggHead::Means,
            [3, 10],
            silu,
            &device(),
        )
        .err()
    };
    refused(vgg(&[4; 7]), "8 widths, not 7");
    refused(
        DsCnn::new(&[4], 10, silu, &device()).err(),
        "5 widths, not 1",
    );
    let empty = ResNet::new(&[], 2, Stem::SmallImages, [3, 10], silu, &device()).err();
    refused(empty, "1 widths, not 0");
    let none = ResNet::resnet_20(0, [3, 10], silu, &device()).err();
    refused(none, "width number 1 is 0");
}
