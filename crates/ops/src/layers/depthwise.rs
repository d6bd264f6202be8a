//! The convolution of each channel by itself.

use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::conv2d::{Setting, bias_of};

/// Configuration of a [`DepthwiseConv2d`].
#[derive(Config, Debug)]
pub struct DepthwiseConv2dConfig {
    /// Number of channels.
    pub channels: usize,
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Distance between the taps of the kernel.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Padding with zeros.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// Whether the channels have a bias.
    #[config(default = true)]
    pub bias: bool,
    /// How weights and biases are drawn.
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3.0_f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

impl DepthwiseConv2dConfig {
    /// A layer with the parameters that Burn's convolution of as many groups would draw.
    ///
    /// # Panics
    /// As Burn's own, without a channel.
    pub fn init(&self, device: &Device) -> DepthwiseConv2d {
        let conv = Conv2dConfig::new([self.channels; 2], self.kernel_size)
            .with_groups(self.channels)
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone())
            .init(device);
        DepthwiseConv2d {
            weight: conv.weight,
            bias: conv.bias,
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding.clone(),
        }
    }
}

/// Burn's `Conv2d` with as many groups as channels. Its channels, and so its groups, are the rows
/// of its weight: nothing else says how many there are.
///
/// ```
/// use burgeon_ops::{DepthwiseConv2d, DepthwiseConv2dConfig};
/// use burn::tensor::{Device, Tensor};
///
/// let conv = DepthwiseConv2dConfig::new(3, [3, 3]).init(&Device::flex());
/// let maps = conv.forward(Tensor::ones([2, 3, 10, 10], &Device::flex()));
/// assert_eq!(maps.dims(), [2, 3, 8, 8]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct DepthwiseConv2d {
    /// `[channels, 1, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    /// `[channels]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Stride `[height, width]`.
    pub stride: [usize; 2],
    /// Distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// Padding with zeros.
    #[module(skip)]
    pub padding: PaddingConfig2d,
}

impl DepthwiseConv2d {
    /// Maps `[b, channels, h, w]` to `[b, channels, h', w']`.
    ///
    /// # Panics
    /// As Burn's own, where the input has other channels than the weight.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        Setting {
            stride: self.stride,
            dilation: self.dilation,
            groups: weight.dims()[0],
            padding: &self.padding,
        }
        .convolve(input, weight, bias_of(&self.bias))
    }
}

impl ModuleDisplay for DepthwiseConv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [channels, _, height, width] = self.weight.dims();
        content
            .add("channels", &channels)
            .add_debug_attribute("kernel_size", &[height, width])
            .add_debug_attribute("stride", &self.stride)
            .add_debug_attribute("dilation", &self.dilation)
            .add_debug_attribute("padding", &self.padding)
            .optional()
    }
}
