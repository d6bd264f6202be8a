//! The convolution.

use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::conv2d::conv2d;
use crate::window::Window;

/// Configuration of a [`FastConv2d`], as Burn's [`Conv2dConfig`].
#[derive(Config, Debug)]
pub struct FastConv2dConfig {
    /// `[input, output]` channels.
    pub channels: [usize; 2],
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Distance between the taps of the kernel.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart.
    #[config(default = "1")]
    pub groups: usize,
    /// Padding with zeros.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// Whether the outputs have a bias.
    #[config(default = true)]
    pub bias: bool,
    /// How weights and biases are drawn.
    #[config(
        default = "Initializer::KaimingUniform { gain: 1.0 / 3.0_f64.sqrt(), fan_out_only: false }"
    )]
    pub initializer: Initializer,
}

impl FastConv2dConfig {
    /// A layer with the parameters that Burn would draw.
    ///
    /// # Panics
    /// As Burn's own, where the groups do not divide the channels.
    pub fn init(&self, device: &Device) -> FastConv2d {
        Conv2dConfig::new(self.channels, self.kernel_size)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_groups(self.groups)
            .with_padding(self.padding.clone())
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone())
            .init(device)
            .into()
    }
}

/// Burn's [`Conv2d`] by [`conv2d`](crate::conv2d()). Its sizes are those of its weight.
///
/// ```
/// use burgeon_ops::{FastConv2d, FastConv2dConfig};
/// use burn::tensor::{Device, Tensor};
///
/// let conv = FastConv2dConfig::new([3, 8], [3, 3]).init(&Device::flex());
/// let maps = conv.forward(Tensor::ones([2, 3, 10, 10], &Device::flex()));
/// assert_eq!(maps.dims(), [2, 8, 8, 8]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct FastConv2d {
    /// `[outputs, inputs / groups, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Stride `[height, width]`.
    pub stride: [usize; 2],
    /// Distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart.
    pub groups: usize,
    /// Padding with zeros.
    #[module(skip)]
    pub padding: PaddingConfig2d,
}

impl FastConv2d {
    /// Maps `[b, inputs, h, w]` to `[b, outputs, h', w']`.
    ///
    /// # Panics
    /// As Burn's own, where the input has other channels than the weight.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        Setting {
            stride: self.stride,
            dilation: self.dilation,
            groups: self.groups,
            padding: &self.padding,
        }
        .convolve(input, self.weight.val(), bias_of(&self.bias))
    }
}

impl From<Conv2d> for FastConv2d {
    fn from(conv: Conv2d) -> Self {
        Self {
            weight: conv.weight,
            bias: conv.bias,
            stride: conv.stride,
            dilation: conv.dilation,
            groups: conv.groups,
            padding: conv.padding,
        }
    }
}

impl ModuleDisplay for FastConv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [outputs, inputs, height, width] = self.weight.dims();
        content
            .add("ch_in", &(inputs * self.groups))
            .add("ch_out", &outputs)
            .add_debug_attribute("kernel_size", &[height, width])
            .add_debug_attribute("stride", &self.stride)
            .add_debug_attribute("dilation", &self.dilation)
            .add("groups", &self.groups)
            .add_debug_attribute("padding", &self.padding)
            .optional()
    }
}

/// How a convolution is done, but for what its weight says.
pub(super) struct Setting<'a> {
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
    pub padding: &'a PaddingConfig2d,
}

impl Setting<'_> {
    /// Multiplies in the type of `weight` and answers in that of `input`.
    pub fn convolve(
        self,
        input: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
    ) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let [_, _, kernel_height, kernel_width] = weight.dims();
        let window = Window::padded(
            [kernel_height, kernel_width],
            self.stride,
            self.dilation,
            self.padding,
            [height, width],
        );
        let (dtype, product) = (input.dtype(), weight.dtype());
        if dtype == product {
            return conv2d(input, weight, bias, window, self.groups);
        }
        conv2d(input.cast(product), weight, bias, window, self.groups).cast(dtype)
    }
}

pub(super) fn bias_of(bias: &Option<Param<Tensor<1>>>) -> Option<Tensor<1>> {
    bias.as_ref().map(Param::val)
}
