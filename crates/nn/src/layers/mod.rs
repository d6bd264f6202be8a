//! Growable layers, in place of Burn's plain ones.

mod conv2d;
mod depthwise;
mod linear;
mod spec;

pub use conv2d::{GrowableConv2d, GrowableConv2dConfig};
pub use depthwise::{GrowableDepthwiseConv2d, GrowableDepthwiseConv2dConfig};
pub use linear::{GrowableLinear, GrowableLinearConfig};
pub use spec::{ChannelParam, FanInLayout, Layer, LayerSpec, MixingSpec, SiteSpec};

use burgeon_core::Window;
use burgeon_ops::batch_norm_train;
use burn::module::Param;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::Tensor;

use crate::error::NnError;
use crate::mode;
use crate::rehearsal::Folded;

/// Refuses a width of zero.
fn check_width(layer: &'static str, what: &str, width: usize) -> Result<(), NnError> {
    if width == 0 {
        return Err(NnError::Layer {
            layer,
            problem: format!("{what} is 0: a layer needs at least 1"),
        });
    }
    Ok(())
}

/// Refuses a kernel, stride or dilation of zero.
fn check_window(
    layer: &'static str,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Result<(), NnError> {
    for (what, sizes) in [
        ("kernel", kernel),
        ("stride", stride),
        ("dilation", dilation),
    ] {
        check_width(layer, what, sizes[0].min(sizes[1]))?;
    }
    Ok(())
}

/// `norm.forward(maps)`, in training by this project's kernel.
fn normalise(norm: &BatchNorm, maps: Tensor<4>) -> Tensor<4> {
    let training = maps.device().is_autodiff() && norm.training.is_enabled();
    if !training {
        return norm.forward(maps);
    }
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    let found = batch_norm_train(maps, gamma, beta, norm.epsilon);
    for (running, batch) in [
        (&norm.running_mean, found.mean),
        (&norm.running_var, found.variance),
    ] {
        let kept = running.value_sync().mul_scalar(1.0 - norm.momentum);
        let next = kept + batch.mul_scalar(norm.momentum);
        running.update(next.detach());
    }
    found.output
}

/// `c = γ/√(running variance + ε)`, what a normalisation in inference mode
/// multiplies each neuron's `θᵀx` with.
fn norm_scale(norm: &BatchNorm) -> Tensor<1> {
    let variance = norm.running_var.value().inner_or_self();
    let gamma = norm.gamma.val().inner_or_self();
    gamma / variance.add_scalar(norm.epsilon).sqrt()
}

/// `weight` and `bias` with what `norm` does in inference mode; `axis` of the weight counts
/// outputs.
fn folded<const D: usize>(
    weight: Tensor<D>,
    axis: usize,
    bias: Option<Tensor<1>>,
    norm: Option<&BatchNorm>,
) -> Folded<D> {
    let outputs = weight.dims()[axis];
    let options = (&weight.device(), weight.dtype());
    let offset = bias.unwrap_or_else(|| Tensor::zeros([outputs], options));
    let Some(norm) = norm else {
        return Folded {
            weight,
            offset,
            scale: None,
        };
    };
    let scale = norm_scale(norm);
    let mean = norm.running_mean.value().inner_or_self();
    let beta = norm.beta.val().inner_or_self();
    let mut shape = [1; D];
    shape[axis] = outputs;
    Folded {
        weight: weight * scale.clone().reshape(shape),
        offset: (offset - mean) * scale.clone() + beta,
        scale: Some(scale),
    }
}

/// The plain tensor under one that may be on an autodiff device.
pub(crate) trait InnerOrSelf {
    /// Off the graph and off the autodiff device, if it was on one.
    fn inner_or_self(self) -> Self;
}

impl<const D: usize> InnerOrSelf for Tensor<D> {
    fn inner_or_self(self) -> Self {
        if self.is_autodiff() {
            self.inner()
        } else {
            self
        }
    }
}

/// The window with the padding that `padding` means for an input of `size`.
fn window(
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: &PaddingConfig2d,
    size: [usize; 2],
) -> Window {
    Window::padded(kernel, stride, dilation, padding, size)
}

/// `map` of input, weight and bias, in the type in which the thread multiplies; the answer is of
/// the input's own type.
fn multiply<const D: usize, const W: usize>(
    input: Tensor<D>,
    weight: Tensor<W>,
    bias: Option<Tensor<1>>,
    map: impl FnOnce(Tensor<D>, Tensor<W>, Option<Tensor<1>>) -> Tensor<D>,
) -> Tensor<D> {
    if !mode::is_mixed() {
        return map(input, weight, bias);
    }
    let dtype = input.dtype();
    let bias = bias.map(|bias| bias.cast(mode::PRODUCT));
    map(input.cast(mode::PRODUCT), weight.cast(mode::PRODUCT), bias).cast(dtype)
}

/// The convolution by the kernels of this project where the device is a CPU.
fn convolve(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: Window,
    groups: usize,
) -> Tensor<4> {
    multiply(input, weight, bias, |input, weight, bias| {
        burgeon_ops::conv2d(input, weight, bias, window, groups)
    })
}

fn bias_of(bias: &Option<Param<Tensor<1>>>) -> Option<Tensor<1>> {
    bias.as_ref().map(|bias| bias.val())
}
