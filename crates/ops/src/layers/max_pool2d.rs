//! Max pooling.

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;

use crate::max_pool2d::max_pool2d_padded;
use crate::window::Window;

/// Configuration of a [`FastMaxPool2d`], as Burn's `MaxPool2dConfig`.
#[derive(Config, Debug)]
pub struct FastMaxPool2dConfig {
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    #[config(default = "kernel_size")]
    pub strides: [usize; 2],
    /// Padding, which is never the largest.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// Distance between what a window reads.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Whether the last window of a line may reach beyond the padding.
    #[config(default = false)]
    pub ceil_mode: bool,
}

impl FastMaxPool2dConfig {
    /// The layer.
    pub fn init(&self) -> FastMaxPool2d {
        FastMaxPool2d {
            kernel_size: self.kernel_size,
            stride: self.strides,
            padding: self.padding.clone(),
            dilation: self.dilation,
            ceil_mode: self.ceil_mode,
        }
    }
}

/// Burn's [`MaxPool2d`] by [`max_pool2d_padded`].
///
/// ```
/// use burgeon_ops::{FastMaxPool2d, FastMaxPool2dConfig};
/// use burn::tensor::{Device, Tensor};
///
/// let pool = FastMaxPool2dConfig::new([2, 2]).init();
/// let maps = pool.forward(Tensor::ones([2, 3, 10, 10], &Device::flex()));
/// assert_eq!(maps.dims(), [2, 3, 5, 5]);
/// ```
#[derive(Module, Debug)]
pub struct FastMaxPool2d {
    /// Kernel size `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[height, width]`.
    pub stride: [usize; 2],
    /// Padding, which is never the largest.
    #[module(skip)]
    pub padding: PaddingConfig2d,
    /// Distance between what a window reads.
    pub dilation: [usize; 2],
    /// Whether the last window of a line may reach beyond the padding.
    pub ceil_mode: bool,
}

impl FastMaxPool2d {
    /// Maps `[b, c, h, w]` to `[b, c, h', w']`.
    ///
    /// # Panics
    /// As Burn's own, where the window does not fit.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let window = Window::padded(
            self.kernel_size,
            self.stride,
            self.dilation,
            &self.padding,
            [height, width],
        );
        max_pool2d_padded(input, window, self.ceil_mode)
    }
}

impl From<MaxPool2d> for FastMaxPool2d {
    fn from(pool: MaxPool2d) -> Self {
        Self {
            kernel_size: pool.kernel_size,
            stride: pool.stride,
            padding: pool.padding,
            dilation: pool.dilation,
            ceil_mode: pool.ceil_mode,
        }
    }
}
