//! Weights from files of other types, widths, layouts and image sizes.

use std::path::{Path, PathBuf};

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_nn::growable::{cast, evaluate};
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{CrossEntropy, Growable, NnError, Samples};
use burgeon_ops::{FastConv2d, FastConv2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use crate::network::{Mlp, digits, refused};

/// A convolution, flattened for a linear layer.
#[derive(Module, Debug)]
struct Images {
    conv: FastConv2d,
    hidden: Linear,
    output: Linear,
}

impl Images {
    /// For images of `side`².
    fn new(side: usize) -> Self {
        let device = FLEX.device().autodiff();
        Self {
            conv: FastConv2dConfig::new([1, 2], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(&device),
            hidden: LinearConfig::new(2 * side * side, 3).init(&device),
            output: LinearConfig::new(3, 10).init(&device),
        }
    }
}

impl Growable for Images {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps: Tensor<2> = relu(self.conv.forward(input)).flatten(1, 3);
        self.output.forward(relu(self.hidden.forward(maps)))
    }
}

/// The weights of a file, in a network for digits.
fn load_digits(model: &Mlp, path: &Path) -> Result<Mlp, NnError> {
    load_weights(model, path, digits(1).inputs())
}

/// The weights of a file, in a network for images of `side`².
fn load_images(side: usize, path: &Path) -> Result<Images, NnError> {
    let example = Tensor::zeros([1, 1, side, side], &FLEX.device());
    load_weights(&Images::new(side), path, &example)
}

/// A folder and a file there.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    (folder, path)
}

/// One parameter of a file: its type, shape and bytes.
type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

/// Saves `model`, each parameter as `change` leaves it.
fn saved<M: Growable>(model: &M, change: impl Fn(&mut Entry)) -> (TempDir, PathBuf) {
    let (folder, path) = file();
    save_weights(model, &path).expect("writable");
    let bytes = std::fs::read(&path).expect("readable");
    let tensors = SafeTensors::deserialize(&bytes).expect("sound");
    let mut entries: Vec<Entry> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
            (name, view.dtype(), shape, data)
        })
        .collect();
    entries.iter_mut().for_each(change);
    let views = entries.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data);
        (name.as_str(), view.expect("sound"))
    });
    let bytes = safetensors::serialize(views, None).expect("sound");
    std::fs::write(&path, bytes).expect("writable");
    (folder, path)
}

/// An entry of zeros in f32.
fn zeros(entry: &mut Entry, shape: &[usize]) {
    entry.2 = shape.to_vec();
    entry.3 = vec![0; 4 * shape.iter().product::<usize>()];
}

#[test]
fn weights_of_another_type_are_cast_to_the_models() {
    let samples = digits(40);
    let loss = |model: &Mlp, samples: &Samples<Tensor<2>>| {
        let found = evaluate(model, &CrossEntropy, samples, 16);
        found.expect("runs").loss
    };
    let model = Mlp::fixed(5);
    let expected = loss(&model, &samples);
    for (dtype, tolerance) in [
        (DType::F16, 1e-2),
        (DType::BF16, 5e-2),
        (DType::F64, 1e-6),
        (DType::F32, 0.0),
    ] {
        let (_folder, path) = file();
        save_weights(&cast(&model, dtype), &path).expect("writable");
        let loaded = load_digits(&Mlp::fixed(2), &path).expect("cast");
        let found = loss(&loaded, &samples);
        assert!((found - expected).abs() <= tolerance, "{dtype:?}: {found}");
    }
}

#[test]
fn numbers_that_the_models_type_cannot_hold_are_refused() {
    let large = |(name, dtype, _, data): &mut Entry| {
        if name == "output.bias" {
            *dtype = Dtype::F64;
            *data = (0..10).flat_map(|_| 1e300_f64.to_le_bytes()).collect();
        }
    };
    let (_folder, path) = saved(&Mlp::fixed(2), large);
    let error = load_digits(&Mlp::fixed(2), &path);
    refused(error, "`output.bias` is in F64 and holds numbers that F32");
    let whole = |(name, dtype, _, data): &mut Entry| {
        if name == "output.bias" {
            *dtype = Dtype::I64;
            *data = vec![0; 80];
        }
    };
    let (_folder, path) = saved(&Mlp::fixed(2), whole);
    let error = load_digits(&Mlp::fixed(2), &path);
    refused(error, "`output.bias` is in I64");
}

#[test]
fn widths_that_do_not_fit_each_other_are_refused() {
    let model = Mlp::fixed(5);
    let narrow = |entry: &mut Entry| {
        if entry.0 == "hidden2.linear.weight" {
            zeros(entry, &[6, 5]);
        }
    };
    let (_folder, path) = saved(&model, narrow);
    let error = load_digits(&model, &path);
    refused(error, "`hidden2.linear.weight` has the shape [6, 5]");
    let norm = |entry: &mut Entry| {
        if entry.0.starts_with("hidden2.norm") {
            zeros(entry, &[4]);
        }
    };
    let (_folder, path) = saved(&model, norm);
    refused(load_digits(&model, &path), "`hidden2.norm");
    let outputs = |entry: &mut Entry| match entry.0.as_str() {
        "output.weight" => zeros(entry, &[5, 12]),
        "output.bias" => zeros(entry, &[12]),
        _ => {}
    };
    let (_folder, path) = saved(&model, outputs);
    refused(
        load_digits(&model, &path),
        "keeps them: it is the model's output",
    );
}

#[test]
fn the_layout_of_another_framework_is_refused() {
    let model = Mlp::fixed(5);
    let transposed = |entry: &mut Entry| {
        if entry.0.ends_with("weight") {
            entry.2.reverse();
        }
    };
    let (_folder, path) = saved(&model, transposed);
    refused(
        load_digits(&model, &path),
        "`hidden1.linear.weight` has the shape [5, 64], the model's has [64, 5]",
    );
}

#[test]
fn weights_for_other_images_are_refused() {
    let (_folder, path) = saved(&Images::new(7), |_| {});
    load_images(7, &path).expect("the same images");
    refused(
        load_images(8, &path),
        "`hidden.weight` has the shape [98, 3]",
    );
}

#[test]
fn weights_of_another_model_are_refused() {
    let (_folder, path) = saved(&Mlp::fixed(2), |_| {});
    refused(load_images(7, &path), "holds no `conv");
    let more = |entry: &mut Entry| {
        if entry.0 == "output.bias" {
            entry.0 = "output.offset".into();
        }
    };
    let (_folder, path) = saved(&Mlp::fixed(2), more);
    refused(load_digits(&Mlp::fixed(2), &path), "holds no `output.bias`");
}
