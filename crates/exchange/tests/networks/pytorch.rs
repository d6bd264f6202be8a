//! Networks that PyTorch made come in, answer as they did there, and grow on.

use std::path::Path;

use burgeon::backend::flex::FLEX;
use burgeon::core::SplitBackend;
use burgeon::nn::growable::parameter_count;
use burgeon::ops::FastMaxPool2dConfig;
use burgeon::prelude::*;
use burgeon::train::Outcome;
use burgeon_exchange::{
    ExchangeError, PlainNetwork, StateDict, resnet_from_torchvision, resnet_to_torchvision,
};
use burgeon_zoo::{Activation, ConvNorm, ResNet, Stem};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use crate::common::{TOLERANCE, difference, digits, floats, labels, script, unsettled, write_raw};
use crate::python::python;

/// A folder of what `torch_networks.py` makes.
fn made(test: &str) -> Option<tempfile::TempDir> {
    let python = python(test, &["torch", "safetensors"])?;
    let folder = tempfile::tempdir().expect("a folder");
    let device = FLEX.device();
    let inputs = [("images", [3, 64, 64]), ("digits", [1, 8, 8])];
    for (name, shape) in inputs {
        let path = folder.path().join(format!("{name}.bin"));
        write_raw(&path, &digits(shape, &device).into_data());
    }
    script(&python, "torch_networks.py", &[folder.path()]);
    Some(folder)
}

fn apart(answers: Tensor<2>, folder: &Path, name: &str) -> f64 {
    let answers: Vec<f32> = answers.into_data().iter::<f32>().collect();
    let expected = floats(&folder.join(format!("{name}.answer.bin")));
    difference(&answers, &expected)
}

#[test]
fn a_residual_network_of_pytorch_agrees_and_takes_a_growth_step() {
    let Some(held) = made("a_residual_network_of_pytorch_agrees_and_takes_a_growth_step") else {
        return;
    };
    let (folder, device) = (held.path(), FLEX.device());
    let images = digits([3, 64, 64], &device);
    for name in ["resnet18.pt", "checkpoint.pth", "resnet18.safetensors"] {
        let state = StateDict::read(&folder.join(name)).expect("PyTorch wrote it");
        let model = resnet_from_torchvision(&state, &device).expect("torchvision's names");
        let apart = apart(model.predict(images.clone()), folder, "resnet18");
        println!("{name}: {apart:.1e}");
        assert!(apart <= TOLERANCE, "{name} differs by {apart}");
    }

    let state = StateDict::read(&folder.join("resnet18.pt")).expect("PyTorch wrote it");
    let model = resnet_from_torchvision(&state, &device.clone().autodiff()).expect("known names");
    let before = parameter_count(&model);
    let labels = labels();
    let samples = Samples::classification(images, &labels, 10, &device).expect("sound");
    let (train, held) = samples.split_off(0.2, 1).expect("there are enough");
    let config = GrowerConfig::default()
        .with_trigger(Trigger::Every { epochs: 1 })
        .with_max_epochs(2);
    let task = Task::new(CrossEntropy, train, held);
    let mut grower =
        Grower::new(config, FLEX, task, model, AdamConfig::new().init()).expect("it grows");
    assert!(matches!(grower.run(), Ok(Outcome::Stopped(_))));
    assert!(
        parameter_count(grower.model()) > before,
        "{:?}",
        grower.state().journal
    );

    // What has grown goes back, and comes in again at its new widths.
    let grown = grower.model().valid();
    let path = folder.join("grown.safetensors");
    resnet_to_torchvision(&grown)
        .expect("known layers")
        .save(&path)
        .expect("written");
    let state = StateDict::read(&path).expect("written");
    let again = resnet_from_torchvision(&state, &device).expect("its own names");
    let images = digits([3, 64, 64], &device);
    let same = grown.predict(images.clone()).into_data() == again.predict(images).into_data();
    assert!(same);
}

/// As `torch.nn.Sequential` has it.
#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("layers");
        let features = input.flatten(1, 3);
        let hidden = hidden
            .iter()
            .fold(features, |x, layer| relu(layer.forward(x)));
        last.forward(hidden)
    }
}

#[derive(Module, Debug)]
struct Cnn {
    convolutions: Vec<ConvNorm>,
    output: Linear,
}

impl Cnn {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let [first, second] = &self.convolutions[..] else {
            panic!("two convolutions");
        };
        let pool = FastMaxPool2dConfig::new([2, 2]).init();
        let maps = pool.forward(relu(first.forward(input)));
        let maps = relu(second.forward(maps));
        self.output
            .forward(maps.mean_dim(3).mean_dim(2).flatten::<2>(1, 3))
    }
}

#[test]
fn plain_networks_of_pytorch_agree() {
    let Some(held) = made("plain_networks_of_pytorch_agree") else {
        return;
    };
    let (folder, device) = (held.path(), FLEX.device());
    let linear = |from: usize, to: usize| LinearConfig::new(from, to).init(&device);
    let number = |path: &str| path.split('.').nth(1).and_then(|part| part.parse().ok());

    let state = StateDict::read(&folder.join("mlp.pt")).expect("PyTorch wrote it");
    let plain = PlainNetwork::of(&state).expect("an MLP");
    let PlainNetwork::Mlp { widths, layers } = &plain else {
        panic!("{plain:?}");
    };
    assert_eq!(widths, &[64, 12, 7, 10]);
    let mlp = Mlp {
        layers: widths
            .windows(2)
            .map(|pair| linear(pair[0], pair[1]))
            .collect(),
    };
    let rename = |path: &str| layers[number(path).unwrap_or(0)].clone();
    let mlp = plain.restore(&mlp, &state, rename).expect("its widths");
    let images = digits([1, 8, 8], &device);
    let found = apart(mlp.forward(images.clone()), folder, "mlp");
    assert!(found <= TOLERANCE, "{found}");

    let state = StateDict::read(&folder.join("cnn.pt")).expect("PyTorch wrote it");
    let plain = PlainNetwork::of(&state).expect("a CNN");
    let PlainNetwork::Cnn {
        widths,
        outputs,
        convolutions,
        output,
    } = &plain
    else {
        panic!("{plain:?}");
    };
    assert_eq!((widths.as_slice(), *outputs), (&[1, 5, 9][..], 10));
    let conv = |pair: &[usize]| ConvNorm::new([pair[0], pair[1]], 3, 1, false, &device);
    let cnn = Cnn {
        convolutions: widths.windows(2).map(conv).collect(),
        output: linear(9, 10),
    };
    let rename = |path: &str| match number(path) {
        _ if path == "output" => output.clone(),
        at => convolutions[at.unwrap_or(0)][usize::from(path.ends_with("norm"))].clone(),
    };
    // The first convolution has a bias, the norm behind it takes it over.
    let cnn = plain.restore(&cnn, &state, rename).expect("its widths");
    let found = apart(cnn.forward(images), folder, "cnn");
    assert!(found <= TOLERANCE, "{found}");

    let state = StateDict::read(&folder.join("lstm.pt")).expect("PyTorch wrote it");
    let error = PlainNetwork::of(&state)
        .expect_err("no plain network")
        .to_string();
    assert!(error.contains("known are linear layers only"), "{error}");
}

fn resnet(device: &Device) -> StateDict {
    let (stem, activation) = (Stem::LargeImages, Activation::Relu);
    let model = ResNet::resnet_18(2, stem, [3, 4], activation, device).expect("sound");
    resnet_to_torchvision(&unsettled(&model, 5)).expect("known layers")
}

#[test]
fn what_does_not_fit_is_named() {
    let device = FLEX.device();
    let zeros = |shape: &[usize]| TensorData::zeros::<f32, _>(shape.to_vec());
    let refused = |state: &StateDict| resnet_from_torchvision(state, &device).expect_err("refused");

    let mut state = resnet(&device);
    state.remove("layer2.0.bn1.bias");
    let error = refused(&state);
    assert!(
        matches!(&error, ExchangeError::MissingTensor { tensor, .. } if tensor == "layer2.0.bn1.bias"),
        "{error}"
    );
    let mut state = resnet(&device);
    state.insert("layer3.1.conv2.weight", zeros(&[8, 7, 3, 3]));
    let error = refused(&state);
    let ExchangeError::WrongShape {
        tensor,
        expected,
        found,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(tensor, "layer3.1.conv2.weight");
    assert_eq!((expected, found), (&vec![8, 8, 3, 3], &vec![8, 7, 3, 3]));
    let mut state = resnet(&device);
    state.insert("fc.weight", zeros(&[4, 15]));
    assert!(
        refused(&state)
            .to_string()
            .contains("[4, 15], expected [4, 16]")
    );
    let mut state = resnet(&device);
    state.insert("layer1.0.se.weight", zeros(&[2, 2]));
    assert!(matches!(
        refused(&state),
        ExchangeError::UnknownTensors { .. }
    ));
    let mut state = resnet(&device);
    state.insert("conv1.weight", TensorData::zeros::<i64, _>([2, 3, 7, 7]));
    assert!(matches!(refused(&state), ExchangeError::WrongType { .. }));
    let mut state = resnet(&device);
    state.insert("layer1.0.conv3.weight", zeros(&[2, 2, 1, 1]));
    assert!(refused(&state).to_string().contains("bottlenecks"));
    let mut state = resnet(&device);
    state.insert("conv1.weight", zeros(&[2, 3, 5, 5]));
    assert!(refused(&state).to_string().contains("5×5"));
    assert!(
        refused(&StateDict::new())
            .to_string()
            .contains("`conv1.weight` is missing")
    );
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |bytes: &[u8], part: &str| {
        let path = folder.path().join("file.pt");
        std::fs::write(&path, bytes).expect("written");
        let error = StateDict::read(&path).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.contains("file.pt"), "{error}");
    };
    refused(b"", "neither safetensors nor a file of PyTorch");
    refused(b"a,b\n1,2\n", "neither safetensors nor a file of PyTorch");
    refused(
        b"PK\x03\x04 and no more",
        "neither safetensors nor a file of PyTorch",
    );
    refused(b"\x02\0\0\0\0\0\0\0{}", "it holds no tensor");
    refused(b"\xff\0\0\0\0\0\0\0{\"a\"", "damaged safetensors");
    let error = StateDict::read(folder.path()).expect_err("a folder");
    assert!(matches!(error, ExchangeError::Io { .. }), "{error}");
    let own = folder.path().join("own.safetensors");
    let header = br#"{"__metadata__":{"format":"burgeon"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 4]);
    std::fs::write(&own, bytes).expect("written");
    let error = StateDict::read(&own)
        .expect_err("Burn's layout")
        .to_string();
    assert!(error.contains("--format pytorch"), "{error}");
}
