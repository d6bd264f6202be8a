//! Networks as ONNX: what onnxruntime answers is what Burn answers, for every network of the zoo,
//! for grown ones, and for the test networks of `burgeon-nn`.

use std::path::Path;
use std::sync::Arc;

use burgeon::backend::flex::FLEX;
use burgeon::core::criterion::Candidate;
use burgeon::core::growth::Side;
use burgeon::core::{Landscape, Plan};
use burgeon::nn::surgery::apply_plan;
use burgeon::nn::{CrossEntropy, Growable, Input, ModelLandscape, Output, Samples, trace};
use burgeon_exchange::{ExchangeError, OnnxExporter};
use burgeon_zoo::{Activation, DsCnn, MobileNetV1, MobileNetV2, ResNet, Stage, Stem, Vgg, VggHead};
use burn::backend::TensorMetadata;
use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde_json::json;

use crate::common::{SAMPLES, TOLERANCE, digits, script, unsettled, write_raw};
use crate::python::python;
use crate::zoo::{self, Example};

/// Writes `model` with its answer to `input`.
fn written<M: Module, I: Input, O: Output>(
    folder: &Path,
    name: &str,
    model: &M,
    input: I,
    forward: impl Fn(&M, I) -> O,
) -> Result<(), ExchangeError> {
    let onnx = OnnxExporter::new().export_forward(model, &input, &forward)?;
    onnx.save(&folder.join(format!("{name}.onnx")))?;
    let mut inputs = Vec::new();
    for (index, value) in input.clone().into_values().into_iter().enumerate() {
        let shape = value.shape().to_vec();
        let (data, kind) = match value.dtype().is_float() {
            true => (Tensor::<1>::from_dispatch(value).into_data(), "<f4"),
            false => (Tensor::<1, Int>::from_dispatch(value).into_data(), "int"),
        };
        let kind = match data.dtype() {
            DType::I32 => "<i4",
            DType::I64 => "<i8",
            _ => kind,
        };
        let file = format!("{name}.input_{index}.bin");
        write_raw(&folder.join(&file), &data);
        inputs.push(json!({ "file": file, "type": kind, "shape": shape }));
    }
    let answer = forward(model, input).into_value();
    let shape = answer.shape().to_vec();
    let file = format!("{name}.answer.bin");
    let data: TensorData = Tensor::<1>::from_dispatch(answer).into_data();
    write_raw(&folder.join(&file), &data);
    let entry = json!({
        "inputs": inputs,
        "answer": { "file": file, "type": "<f4", "shape": shape },
    });
    let path = folder.join(format!("{name}.json"));
    std::fs::write(path, entry.to_string()).expect("written");
    Ok(())
}

/// What onnxruntime answers to all networks in `folder` is what Burn answers.
fn agree(python: &Path, folder: &Path, count: usize) {
    let said = script(python, "onnx_check.py", &[folder]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), count, "{said}");
    for line in lines {
        let (name, apart) = line.split_once(' ').expect("a name and a number");
        let apart: f64 = apart.parse().expect("a number");
        assert!(apart <= TOLERANCE, "{name} differs by {apart}");
        println!("{name}: {apart:.1e}");
    }
}

/// A network of the zoo, and the same with a new neuron at every site.
fn with_grown<M: Growable<Input = Tensor<4>, Output = Tensor<2>>>(
    folder: &Path,
    name: &str,
    model: &M,
    shape: [usize; 3],
) {
    let device = flex();
    let model = unsettled(model, 3);
    let input = digits(shape, &device);
    let predict = |model: &M, input| model.predict(input);
    written(folder, name, &model, input.clone(), predict).unwrap_or_else(|e| panic!("{name}: {e}"));

    let training = unsettled(&model.clone().train(), 3);
    let labels: Vec<usize> = (0..SAMPLES).map(|row| row % 4).collect();
    let samples = Samples::classification(input.clone(), &labels, 4, &device).expect("sound");
    let samples = samples.subset(&[0, 1, 2, 3]).expect("there are");
    let trace = Arc::new(trace(&training, &samples).expect("it grows"));
    let objective = CrossEntropy;
    let landscape = ModelLandscape::new(&training, trace.clone(), &objective, &samples, 3, &FLEX);
    let new = |site: &burgeon::core::Site| {
        let fan_in = (0..site.dim).map(|i| (i as f64 * 0.7).sin()).collect();
        let fan_out = (0..site.fan_out).map(|i| (i as f64 * 1.3).cos()).collect();
        Candidate::new_neuron(site, fan_in, fan_out, Side::FanOut)
    };
    let plan = Plan::new("all", landscape.sites().iter().map(new).collect());
    assert!(
        plan.growths.len() >= 5,
        "{name} has {} sites",
        plan.growths.len()
    );
    let (grown, _) = apply_plan(&training, trace.graph(), &plan, 0.1).expect("it grows");
    let grown = grown.valid();
    let name = format!("{name}-grown");
    written(folder, &name, &grown, input, predict).unwrap_or_else(|e| panic!("{name}: {e}"));
}

fn flex() -> Device {
    use burgeon::core::SplitBackend;
    FLEX.device()
}

/// At reduced widths; digits are scaled to the resolution that a network needs.
#[test]
fn onnxruntime_answers_as_every_network_of_the_zoo_does() {
    let test = "onnxruntime_answers_as_every_network_of_the_zoo_does";
    let Some(python) = python(test, &["numpy", "onnx", "onnxruntime"]) else {
        return;
    };
    let device = &flex();
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    let (ends, small) = ([3, 4], Stem::SmallImages);
    let (relu, relu6, silu, gelu) = (
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::Gelu,
    );
    let image = [3, 32, 32];
    for (name, stages, activation) in [
        ("vgg-11", Vgg::VGG_11, relu),
        ("vgg-16", Vgg::VGG_16, gelu),
        ("vgg-19", Vgg::VGG_19, silu),
    ] {
        let widths = vec![4; stages.iter().sum()];
        let net = Vgg::new(stages, &widths, VggHead::Means, ends, activation, device);
        with_grown(folder, name, &net.expect("sound"), image);
    }
    let head = VggHead::Dense {
        width: 6,
        positions: 1,
    };
    let dense = Vgg::new(Vgg::VGG_11, &[3; 8], head, ends, relu, device).expect("sound");
    with_grown(folder, "vgg-11-dense", &dense, image);
    let v1 = MobileNetV1::new(&[4; 14], small, ends, relu, device).expect("sound");
    with_grown(folder, "mobilenet-v1", &v1, image);
    let stages = MobileNetV2::STAGES.map(|stage| Stage {
        width: 3,
        expansion: 2,
        ..stage
    });
    let v2 = MobileNetV2::new([4, 6], &stages, small, ends, relu6, device).expect("sound");
    with_grown(folder, "mobilenet-v2", &v2, image);
    let resnet = ResNet::resnet_20(3, ends, silu, device).expect("sound");
    with_grown(folder, "resnet-20", &resnet, image);
    let large = ResNet::resnet_18(2, Stem::LargeImages, ends, relu, device).expect("sound");
    with_grown(folder, "resnet-18", &large, [3, 64, 64]);
    let spoken = DsCnn::new(&[4; 5], 4, silu, device).expect("sound");
    with_grown(folder, "ds-cnn", &spoken, [1, 48, 16]);
    agree(&python, folder, 18);
}

/// The test networks that use what is not written, each with the operation that is named.
const REFUSED: [(&str, &str); 0] = [];

#[test]
fn onnxruntime_answers_as_the_test_networks_do() {
    let test = "onnxruntime_answers_as_the_test_networks_do";
    let Some(python) = python(test, &["numpy", "onnx", "onnxruntime"]) else {
        return;
    };
    let held = tempfile::tempdir().expect("a folder");
    let folder = held.path();
    let mut count = 0;
    let mut wrong = Vec::new();
    macro_rules! each {
        ($($function:ident: $model:ident,)+) => {$({
            let device = flex();
            let model = zoo::made::<zoo::$model>(&device, 2);
            let input = zoo::$model::input(7, &device, DType::F32, 11);
            let name = stringify!($function);
            let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
            let result = written(folder, name, &model, input, |model: &zoo::$model, input| {
                model.predict(input)
            });
            match (result, refused) {
                (Ok(()), None) => count += 1,
                (Err(ExchangeError::UnsupportedOperation { operation, .. }), Some((_, expected)))
                    if operation == *expected => {}
                (other, _) => wrong.push(format!("{name}: {other:?}")),
            }
        })+};
    }
    zoo::every_example!(each);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    agree(&python, folder, count);
}

#[test]
fn what_is_written_says_what_it_is() {
    let device = flex();
    let model = ResNet::resnet_20(2, [1, 4], Activation::Relu, &device).expect("sound");
    let exporter = OnnxExporter::new()
        .with_inputs(["pixels"])
        .with_output("classes")
        .with_metadata("made by", "a test");
    let example = Tensor::zeros([1, 1, 8, 8], &device);
    let onnx = exporter.export(&model, &example).expect("known operations");
    let again = exporter.export(&model, &example).expect("the same");
    assert_eq!(again.to_bytes(), onnx.to_bytes());
    let named = |name: &str, shape: &str| vec![(name.to_owned(), shape.to_owned())];
    assert_eq!(onnx.inputs(), named("pixels", "batch, 1, 8, 8"));
    assert_eq!(onnx.outputs(), named("classes", "batch, 4"));
    assert_eq!(onnx.operators()[..2], ["Conv", "BatchNormalization"]);
    assert!(onnx.to_bytes().windows(6).any(|bytes| bytes == b"a test"));
}
