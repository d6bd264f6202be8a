//! Convolutions that mix channels.

use burgeon_core::{Activation, SiteInput, Window};
use burgeon_ops::{activate, add_conv2d, conv2d};
use burn::config::Config;
use burn::module::{Module, ParamId};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::spec::{FanInLayout, Layer, LayerSpec, SiteSpec, conv_spec, norm_params};
use super::{
    InnerOrSelf, bias_of, check_width, check_window, convolve, folded, norm_scale, normalise,
    window,
};
use crate::error::NnError;
use crate::mode;
use crate::recording::{self, Outputs, Passage};
use crate::rehearsal::{self, Folded, Rehearsed};

/// Configuration of a [`GrowableConv2d`].
#[derive(Config, Debug)]
pub struct GrowableConv2dConfig {
    /// `[input, output]` channels.
    pub channels: [usize; 2],
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Dilation `[height, width]`.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
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

impl GrowableConv2dConfig {
    /// A layer with Burn's default initialisation.
    ///
    /// # Errors
    /// [`NnError::Layer`] if a width, kernel, stride or dilation is 0, or for
    /// `Same` padding with dilation, where Burn pads for the undilated kernel.
    pub fn init(&self, device: &Device) -> Result<GrowableConv2d, NnError> {
        const LAYER: &str = "GrowableConv2d";
        check_width(LAYER, "number of input channels", self.channels[0])?;
        check_width(LAYER, "number of output channels", self.channels[1])?;
        check_window(LAYER, self.kernel_size, self.stride, self.dilation)?;
        if self.padding == PaddingConfig2d::Same && self.dilation != [1, 1] {
            return Err(NnError::Layer {
                layer: LAYER,
                problem: "Same padding with dilation is not supported: give it explicitly".into(),
            });
        }
        let conv = Conv2dConfig::new(self.channels, self.kernel_size)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_padding(self.padding.clone())
            .with_bias(self.bias);
        let norm = self.norm.then(|| BatchNormConfig::new(self.channels[1]));
        Ok(GrowableConv2d {
            conv: conv.init(device),
            norm: norm.map(|norm| norm.init(device)),
            activation: self.activation,
        })
    }
}

/// `σ(norm(conv(x)))`: a convolution whose output channels may be split.
#[derive(Module, Debug)]
pub struct GrowableConv2d {
    /// The convolution, weight `[out, in, kh, kw]`, one group.
    pub conv: Conv2d,
    /// The normalisation before the activation.
    pub norm: Option<BatchNorm>,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
}

impl GrowableConv2d {
    /// Maps `[b, in, h, w]` to `[b, out, h', w']`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        if let Some(output) = rehearsal::forward(self, &input) {
            return output;
        }
        let window = self.window(&input);
        let Conv2d {
            weight,
            bias,
            groups,
            ..
        } = &self.conv;
        let mut z = convolve(input.clone(), weight.val(), bias_of(bias), window, *groups);
        if let Some(norm) = &self.norm {
            z = normalise(norm, z);
        }
        let output = activate(self.activation, z.clone());
        if !mode::is_recording() {
            return output;
        }
        let (output, gradient) = recording::probe(output, Outputs::Maps);
        mode::push(Passage {
            weight: self.conv.weight.id,
            input: SiteInput::Maps(input.inner_or_self(), window),
            bias: self.conv.bias.is_some(),
            pre_activation: Outputs::Maps(z.inner_or_self()),
            scale: self.norm.as_ref().map(norm_scale),
            activation: self.activation,
            gradient,
        });
        output
    }

    /// Number of output channels.
    pub fn neurons(&self) -> usize {
        self.conv.weight.dims()[0]
    }

    fn window(&self, input: &Tensor<4>) -> Window {
        let [_, _, height, width] = input.dims();
        let Conv2d {
            kernel_size,
            stride,
            dilation,
            padding,
            ..
        } = &self.conv;
        window(*kernel_size, *stride, *dilation, padding, [height, width])
    }
}

impl Rehearsed<4> for GrowableConv2d {
    const INPUT_AXIS: usize = 1;

    fn id(&self) -> ParamId {
        self.conv.weight.id
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn folded(&self) -> Folded<4> {
        folded(
            self.conv.weight.val(),
            0,
            bias_of(&self.conv.bias),
            self.norm.as_ref(),
        )
    }

    fn apply(&self, weight: Tensor<4>, offset: Option<Tensor<1>>, input: Tensor<4>) -> Tensor<4> {
        let window = self.window(&input);
        conv2d(input, weight, offset, window, self.conv.groups)
    }

    fn add(&self, z: Tensor<4>, weight: Tensor<4>, input: Tensor<4>) -> Tensor<4> {
        let window = self.window(&input);
        add_conv2d(z, input, weight, window, self.conv.groups)
    }

    fn read(outputs: Outputs) -> Option<Tensor<4>> {
        match outputs {
            Outputs::Maps(maps) => Some(maps),
            Outputs::Rows(_) => None,
        }
    }
}

impl Layer for GrowableConv2d {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        let mut spec = conv_spec(&self.conv)?;
        spec.channel_params
            .extend(self.norm.iter().flat_map(norm_params));
        let [_, inputs, height, width] = self.conv.weight.dims();
        let bias = self.conv.bias.as_ref().map(|bias| bias.id);
        spec.site = Some(SiteSpec {
            weight: self.conv.weight.id,
            bias,
            layout: FanInLayout::Row,
            dim: inputs * height * width + usize::from(bias.is_some()),
            exact_curvature: self.activation.has_exact_curvature(),
        });
        spec.linear = false;
        Ok(spec)
    }
}
