//! What the Criterion benchmarks share: networks, data, and ratios within one run.

pub mod measure;
pub mod nets;

use burgeon_core::{CurvatureBlock, SiteInput, SplitBackend, Window};
use burgeon_data::optdigits;
use burgeon_nn::Samples;
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

/// The digits' training set, as many as `count`.
///
/// # Errors
/// Whatever the embedded data set or the samples report.
pub fn digits(
    count: usize,
    device: &Device,
) -> Result<Samples<Tensor<2>>, Box<dyn std::error::Error>> {
    let images = optdigits::load()?.train;
    let pixels = images.pixels[..count * 64].to_vec();
    let inputs = Tensor::from_data(TensorData::new(pixels, [count, 64]), device);
    Ok(Samples::classification(
        inputs,
        &images.labels[..count],
        10,
        device,
    )?)
}

/// The first `count` training digits as images `[count, 1, 8, 8]`.
///
/// # Errors
/// As [`digits`].
pub fn digit_images(
    count: usize,
    device: &Device,
) -> Result<Samples<Tensor<4>>, Box<dyn std::error::Error>> {
    let rows = digits(count, device)?;
    let inputs = rows.inputs().clone().reshape([count, 1, 8, 8]);
    Ok(rows.with_inputs(inputs, |values| values)?)
}

/// Noise `[count, channels, size, size]` with labels in turn.
///
/// # Errors
/// Whatever the samples report.
pub fn noise(
    [count, channels, size]: [usize; 3],
    device: &Device,
) -> Result<Samples<Tensor<4>>, Box<dyn std::error::Error>> {
    device.seed(0);
    let inputs = random([count, channels, size, size], device);
    let labels: Vec<usize> = (0..count).map(|i| i % 10).collect();
    Ok(Samples::classification(inputs, &labels, 10, device)?)
}

/// Normal random numbers, f32.
pub fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), (device, DType::F32))
}

/// A linear site's curvature of random rows, f32.
pub fn random_block(
    backend: &dyn SplitBackend,
    rows: usize,
    dim: usize,
    neurons: usize,
) -> CurvatureBlock {
    let device = backend.device();
    CurvatureBlock {
        input: SiteInput::Rows(random([rows, dim], &device)),
        bias: false,
        weights: random([rows, neurons], &device),
    }
}

/// A 3×3 convolution's curvature of random maps `[batch, channels, size, size]`, f32.
pub fn random_maps_block(
    backend: &dyn SplitBackend,
    [batch, channels, size]: [usize; 3],
    neurons: usize,
) -> CurvatureBlock {
    let device = backend.device();
    CurvatureBlock {
        input: SiteInput::Maps(
            random([batch, channels, size, size], &device),
            same_window(3, 1),
        ),
        bias: false,
        weights: random([batch * size * size, neurons], &device),
    }
}

/// A window that keeps the size of maps, but for the stride.
pub fn same_window(kernel: usize, stride: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [[kernel / 2; 2]; 2],
        dilation: [1; 2],
    }
}
