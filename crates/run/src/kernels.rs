//! The arithmetic of steps, on one sample in f32.

use crate::step::Function;

/// `[outputs]`: `x W + b` with `W` `[inputs, outputs]`.
pub fn linear(input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut output = bias.to_vec();
    for (value, row) in input.iter().zip(weight.chunks_exact(bias.len())) {
        for (sum, weight) in output.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
    output
}

/// A convolution's sizes.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub groups: usize,
}

/// Maps `[outputs, h', w']` of maps `[c, h, w]`, padded by half the kernel.
pub fn convolution(
    input: &[f32],
    [channels, height, width]: [usize; 3],
    weight: &[f32],
    window: Window,
) -> Vec<f32> {
    let Window {
        outputs,
        kernel,
        stride,
        groups,
    } = window;
    let (rows, columns) = ((height - 1) / stride + 1, (width - 1) / stride + 1);
    let (read, given) = (channels / groups, outputs / groups);
    let half = kernel / 2;
    let mut output = vec![0.0; outputs * rows * columns];
    let planes = output.chunks_exact_mut(rows * columns).enumerate();
    for (out, plane) in planes {
        let first = out / given * read;
        for channel in 0..read {
            let map = &input[(first + channel) * height * width..][..height * width];
            let taps = &weight[(out * read + channel) * kernel * kernel..][..kernel * kernel];
            for (tap, weight) in taps.iter().enumerate() {
                let (down, right) = (tap / kernel, tap % kernel);
                for (row, line) in plane.chunks_exact_mut(columns).enumerate() {
                    let from = (row * stride + down).checked_sub(half);
                    let Some(from) = from.filter(|from| *from < height) else {
                        continue;
                    };
                    let map = &map[from * width..][..width];
                    // The columns whose tap lies within the map.
                    let begin = half.saturating_sub(right).div_ceil(stride);
                    let end = match (width + half).checked_sub(right + 1) {
                        Some(last) => (last / stride + 1).min(columns),
                        None => 0,
                    };
                    for column in begin..end {
                        line[column] += weight * map[column * stride + right - half];
                    }
                }
            }
        }
    }
    output
}

/// Adds `bias[c]` to each number of channel `c`.
pub fn add_bias(values: &mut [f32], bias: &[f32]) {
    let positions = values.len() / bias.len().max(1);
    for (own, bias) in values.chunks_exact_mut(positions.max(1)).zip(bias) {
        own.iter_mut().for_each(|value| *value += bias);
    }
}

/// `value · scale[c] + shift[c]` for each channel.
pub fn scale_and_shift(values: &mut [f32], scale: &[f32], shift: &[f32]) {
    let positions = values.len() / scale.len().max(1);
    let channels = values.chunks_exact_mut(positions.max(1));
    for (own, (scale, shift)) in channels.zip(scale.iter().zip(shift)) {
        own.iter_mut()
            .for_each(|value| *value = *value * scale + shift);
    }
}

/// `function` of each number.
pub fn activate(values: &mut [f32], function: Function) {
    let apply: fn(f32) -> f32 = match function {
        Function::Relu => |z| z.max(0.0),
        Function::Relu6 => |z| z.clamp(0.0, 6.0),
        Function::Silu => |z| z / (1.0 + (-z).exp()),
        Function::Gelu => |z| {
            let z = f64::from(z);
            (z * 0.5 * (1.0 + erf(z * std::f64::consts::FRAC_1_SQRT_2))) as f32
        },
        Function::Tanh => f32::tanh,
    };
    values.iter_mut().for_each(|value| *value = apply(*value));
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26).
fn erf(x: f64) -> f64 {
    const A: [f64; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let sum = A.iter().rev().fold(0.0, |sum, a| (sum + a) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

/// Each window of `size` × `size` reduced by `fold` from `start`.
pub fn pool(
    input: &[f32],
    [channels, height, width]: [usize; 3],
    size: usize,
    start: f32,
    fold: fn(f32, f32) -> f32,
) -> Vec<f32> {
    let (rows, columns) = (height / size, width / size);
    let mut output = vec![start; channels * rows * columns];
    for channel in 0..channels {
        for row in 0..rows * size {
            let line = &input[(channel * height + row) * width..][..columns * size];
            let into = &mut output[(channel * rows + row / size) * columns..][..columns];
            for (to, window) in into.iter_mut().zip(line.chunks_exact(size)) {
                *to = window.iter().copied().fold(*to, fold);
            }
        }
    }
    output
}

/// The mean of each channel.
pub fn means(input: &[f32], channels: usize) -> Vec<f32> {
    let positions = input.len() / channels;
    let maps = input.chunks_exact(positions);
    maps.map(|map| map.iter().sum::<f32>() / positions as f32)
        .collect()
}
