//! What several tests need: real samples, networks that are not at their first weights.

use std::path::Path;
use std::process::Command;

use burgeon::data::optdigits;
use burgeon::nn::stored::{Weights, collect, restore};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// How many real samples runtimes are compared on.
pub const SAMPLES: usize = 100;

/// How far they may differ.
pub const TOLERANCE: f64 = 1e-5;

/// Runs a script that lies beside this file and gives what it printed.
pub fn script(python: &Path, name: &str, arguments: &[&Path]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/networks")
        .join(name);
    let output = Command::new(python).arg(path).args(arguments).output();
    let output = output.expect("it was found before");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Handwritten digits scaled to `shape` by repeating pixels and channels: `[SAMPLES, c, h, w]`.
pub fn digits([channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
    let digits = optdigits::load().expect("embedded").test;
    let mut values = Vec::with_capacity(SAMPLES * channels * height * width);
    for image in digits.pixels.chunks(64).take(SAMPLES) {
        for _ in 0..channels {
            for row in 0..height {
                let pixels =
                    (0..width).map(|column| image[row * 8 / height * 8 + column * 8 / width]);
                values.extend(pixels);
            }
        }
    }
    let data = TensorData::new(values, [SAMPLES, channels, height, width]);
    Tensor::from_data(data, device)
}

/// The classes of [`digits`].
pub fn labels() -> Vec<usize> {
    optdigits::load().expect("embedded").test.labels[..SAMPLES].to_vec()
}

/// `model` as if it were trained: biases, norms and running statistics are not at their first
/// values, by which mistakes would not be seen.
pub fn unsettled<M: Module>(model: &M, seed: u64) -> M {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut weights: Weights = collect(model);
    for (path, weight) in &mut weights {
        let name = path.rsplit('.').next().unwrap_or_default();
        let range = match name {
            "gamma" | "running_var" => 0.5_f32..1.5,
            "beta" | "running_mean" | "bias" => -0.3..0.3,
            _ => continue,
        };
        let count = weight.data.num_elements();
        let values: Vec<f32> = (0..count)
            .map(|_| generator.random_range(range.clone()))
            .collect();
        let data = TensorData::new(values, weight.data.shape().clone());
        weight.data = data.convert_dtype(weight.data.dtype());
    }
    restore(model, &weights).expect("its own weights")
}

/// Numbers of a file of 32-bit floats.
pub fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("written");
    let words = bytes.chunks_exact(4);
    words
        .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect()
}

/// Writes the numbers of `data` as they lie.
pub fn write_raw(path: &Path, data: &TensorData) {
    std::fs::write(path, data.as_bytes()).expect("written");
}

/// The largest difference between two lists of numbers.
pub fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
    apart.fold(0.0, f64::max)
}
