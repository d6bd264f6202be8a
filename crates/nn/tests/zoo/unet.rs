//! A U-Net of two levels (Ronneberger et al. 2015).

use burn::module::Module;
use burn::nn::conv::{Conv2d, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use super::layers::{ConvNorm, conv};
use super::{example, variants};

/// Two convolutions, each with norm and SiLU.
#[derive(Module, Debug)]
pub struct DoubleConv {
    pub first: ConvNorm,
    pub second: ConvNorm,
}

impl DoubleConv {
    /// Both convolutions answer `channels[1]`.
    pub fn new(channels: [usize; 2], device: &Device) -> Self {
        Self {
            first: ConvNorm::new(channels, 3, 1, device),
            second: ConvNorm::new([channels[1], channels[1]], 3, 1, device),
        }
    }

    /// Maps of the same size.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        silu(self.second.forward(silu(self.first.forward(x))))
    }
}

/// A step to maps of twice the size and half the channels.
#[derive(Module, Debug)]
pub enum Upsample {
    /// A transposed convolution of stride two.
    Transposed(ConvTranspose2d),
    /// The nearest pixel, then a 3×3 convolution.
    Nearest((Interpolate2d, Conv2d)),
}

impl Upsample {
    /// Twice the size, half the channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Transposed(conv) => conv.forward(x),
            Self::Nearest((resize, conv)) => conv.forward(resize.forward(x)),
        }
    }
}

/// How a [`UNet`] goes up.
#[derive(Clone, Copy, Debug)]
pub enum Up {
    Transposed,
    Nearest,
}

impl Up {
    fn init(self, channels: usize, device: &Device) -> Upsample {
        let pair = [channels, channels / 2];
        match self {
            Self::Transposed => Upsample::Transposed(
                ConvTranspose2dConfig::new(pair, [2, 2])
                    .with_stride([2, 2])
                    .init(device),
            ),
            Self::Nearest => Upsample::Nearest((
                Interpolate2dConfig::new()
                    .with_scale_factor(Some([2.0, 2.0]))
                    .init(),
                conv(pair, 3, 1, device),
            )),
        }
    }
}

/// Down twice, up twice, joined to the maps of the same size on the way down.
#[derive(Module, Debug)]
pub struct UNet {
    pub down1: DoubleConv,
    pub down2: DoubleConv,
    pub bottom: DoubleConv,
    pub pool: MaxPool2d,
    pub up2: Upsample,
    pub join2: DoubleConv,
    pub up1: Upsample,
    pub join1: DoubleConv,
    pub head: Conv2d,
}

impl UNet {
    /// `width` channels at full size; two image channels, three classes.
    pub fn with_width(width: usize, up: Up, device: &Device) -> Self {
        let w = width;
        Self {
            down1: DoubleConv::new([2, w], device),
            down2: DoubleConv::new([w, 2 * w], device),
            bottom: DoubleConv::new([2 * w, 4 * w], device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            up2: up.init(4 * w, device),
            join2: DoubleConv::new([4 * w, 2 * w], device),
            up1: up.init(2 * w, device),
            join1: DoubleConv::new([2 * w, w], device),
            head: conv([w, 3], 1, 1, device),
        }
    }

    /// Class scores `[b, 3, h, w]` of images `[b, 2, h, w]`, whose sizes are multiples of four.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let fine = self.down1.forward(x);
        let coarse = self.down2.forward(self.pool.forward(fine.clone()));
        let h = self.bottom.forward(self.pool.forward(coarse.clone()));
        let h = Tensor::cat(vec![coarse, self.up2.forward(h)], 1);
        let h = self.up1.forward(self.join2.forward(h));
        let h = Tensor::cat(vec![fine, h], 1);
        self.head.forward(self.join1.forward(h))
    }
}

example!(UNet = "unet", [2, 8, 8] => [3, 8, 8], |device| UNet::with_width(3, Up::Transposed, device));
variants! { UNet:
    UNetNearest = "unet_nearest", |device| UNet::with_width(3, Up::Nearest, device);
}
