//! Depthwise convolutions: one filter for each channel.

use burgeon_core::{Activation, SiteInput};
use burgeon_ops::activate;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::spec::{FanInLayout, Layer, LayerSpec, SiteSpec, channel_params, norm_params};
use super::{
    InnerOrSelf, bias_of, check_width, check_window, convolve, norm_scale, normalise, window,
};
use crate::error::NnError;
use crate::mode;
use crate::recording::{self, Outputs, Passage};

/// Configuration of a [`GrowableDepthwiseConv2d`].
#[derive(Config, Debug)]
pub struct GrowableDepthwiseConv2dConfig {
    /// Number of channels.
    pub channels: usize,
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Padding with zeros.
    #[config(default = "PaddingConfig2d::Same")]
    pub padding: PaddingConfig2d,
    /// The activation.
    #[config(default = "Activation::relu()")]
    pub activation: Activation,
    /// Whether the channels have a bias.
    #[config(default = false)]
    pub bias: bool,
    /// Whether a batch normalisation stands before the activation.
    #[config(default = true)]
    pub norm: bool,
}

impl GrowableDepthwiseConv2dConfig {
    /// A layer with Burn's default initialisation.
    ///
    /// # Errors
    /// [`NnError::Layer`] if the width, kernel or stride is 0.
    pub fn init(&self, device: &Device) -> Result<GrowableDepthwiseConv2d, NnError> {
        const LAYER: &str = "GrowableDepthwiseConv2d";
        check_width(LAYER, "number of channels", self.channels)?;
        check_window(LAYER, self.kernel_size, self.stride, [1, 1])?;
        let initializer = Initializer::KaimingUniform {
            gain: 1.0 / 3.0_f64.sqrt(),
            fan_out_only: false,
        };
        let [height, width] = self.kernel_size;
        let taps = Some(height * width);
        let shape = [self.channels, 1, height, width];
        let weight = initializer.init_with(shape, taps, taps, device);
        let bias = self
            .bias
            .then(|| initializer.init_with([self.channels], taps, taps, device));
        let norm = self.norm.then(|| BatchNormConfig::new(self.channels));
        Ok(GrowableDepthwiseConv2d {
            weight,
            bias,
            norm: norm.map(|norm| norm.init(device)),
            stride: self.stride,
            padding: self.padding.clone(),
            activation: self.activation,
        })
    }
}

/// `σ(norm(depthwise(x)))`. The number of groups is read off the weight, which
/// is why Burn's own `Conv2d` cannot stand here.
///
/// It is channel-wise: splitting a channel of the layer before it copies the
/// channel's filter; splitting one of its own filters copies the channel of
/// the layer before it.
#[derive(Module, Debug)]
pub struct GrowableDepthwiseConv2d {
    /// Filters `[channels, 1, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    /// Bias `[channels]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The normalisation before the activation.
    pub norm: Option<BatchNorm>,
    /// Stride `[height, width]`.
    pub stride: [usize; 2],
    /// Padding with zeros.
    #[module(skip)]
    pub padding: PaddingConfig2d,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
}

impl GrowableDepthwiseConv2d {
    /// Maps `[b, c, h, w]` to `[b, c, h', w']`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let [channels, _, kernel_height, kernel_width] = self.weight.dims();
        let kernel = [kernel_height, kernel_width];
        let window = window(kernel, self.stride, [1, 1], &self.padding, [height, width]);
        let bias = bias_of(&self.bias);
        let mut z = convolve(input.clone(), self.weight.val(), bias, window, channels);
        if let Some(norm) = &self.norm {
            z = normalise(norm, z);
        }
        let output = activate(self.activation, z.clone());
        if !mode::is_recording() {
            return output;
        }
        let (output, gradient) = recording::probe(output, Outputs::Maps);
        mode::push(Passage {
            weight: self.weight.id,
            input: SiteInput::ChannelMaps(input.inner_or_self(), window),
            bias: self.bias.is_some(),
            pre_activation: Outputs::Maps(z.inner_or_self()),
            scale: self.norm.as_ref().map(norm_scale),
            activation: self.activation,
            gradient,
        });
        output
    }

    /// Number of channels.
    pub fn neurons(&self) -> usize {
        self.weight.dims()[0]
    }
}

impl Layer for GrowableDepthwiseConv2d {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        let [outputs, _, height, width] = self.weight.dims();
        let taps = height * width;
        let mut channel_params = channel_params(self.weight.id, 0, taps, &self.bias);
        channel_params.extend(self.norm.iter().flat_map(norm_params));
        let bias = self.bias.as_ref().map(|bias| bias.id);
        Ok(LayerSpec {
            outputs,
            channel_params,
            mixing: None,
            site: Some(SiteSpec {
                weight: self.weight.id,
                bias,
                layout: FanInLayout::Row,
                dim: taps + usize::from(bias.is_some()),
                exact_curvature: self.activation.has_exact_curvature(),
            }),
            linear: false,
        })
    }
}
