//! Networks as lists of layers.

use burgeon_hardware::ConvLayer;

/// A convolution of `[in, out]` channels from maps of `input`² to maps of `output`².
pub fn conv(channels: [usize; 2], kernel: usize, stride: usize, maps: [usize; 2]) -> ConvLayer {
    let [input, output] = maps;
    ConvLayer::new("conv", channels, [output; 2], kernel)
        .and_then(|layer| layer.strided(stride, [input; 2]))
        .expect("a layer")
}
