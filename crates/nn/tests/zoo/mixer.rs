//! An MLP-Mixer (Tolstikhin et al. 2021).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};

use super::example;
use super::layers::linear;

/// Mixes tokens, then channels.
#[derive(Module, Debug)]
pub struct MixerBlock {
    pub token_norm: LayerNorm,
    pub token1: Linear,
    pub token2: Linear,
    pub channel_norm: LayerNorm,
    pub channel1: Linear,
    pub channel2: Linear,
}

impl MixerBlock {
    /// A block on `[b, tokens, channels]`.
    pub fn new(tokens: usize, channels: usize, hidden: [usize; 2], device: &Device) -> Self {
        Self {
            token_norm: LayerNormConfig::new(channels).init(device),
            token1: linear(tokens, hidden[0], device),
            token2: linear(hidden[0], tokens, device),
            channel_norm: LayerNormConfig::new(channels).init(device),
            channel1: linear(channels, hidden[1], device),
            channel2: linear(hidden[1], channels, device),
        }
    }

    /// Both mixings with their residuals.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let h = self.token_norm.forward(x.clone()).swap_dims(1, 2);
        let h = self.token2.forward(gelu(self.token1.forward(h)));
        let x = x + h.swap_dims(1, 2);
        let h = self.channel_norm.forward(x.clone());
        x + self.channel2.forward(gelu(self.channel1.forward(h)))
    }
}

/// Patches, mixer blocks, norm, mean over the patches, linear.
#[derive(Module, Debug)]
pub struct MlpMixer {
    pub patch: Conv2d,
    pub blocks: Vec<MixerBlock>,
    pub norm: LayerNorm,
    pub head: Linear,
}

impl MlpMixer {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut h: Tensor<3> = self.patch.forward(x).flatten(2, 3).swap_dims(1, 2);
        for block in &self.blocks {
            h = block.forward(h);
        }
        let h = self.norm.forward(h).mean_dim(1).squeeze_dim(1);
        self.head.forward(h)
    }
}

example!(MlpMixer = "mlp_mixer", [3, 8, 8] => [3], |device| MlpMixer {
    patch: Conv2dConfig::new([3, 5], [4, 4])
        .with_stride([4, 4])
        .init(device),
    blocks: vec![
        MixerBlock::new(4, 5, [6, 7], device),
        MixerBlock::new(4, 5, [6, 7], device),
    ],
    norm: LayerNormConfig::new(5).init(device),
    head: linear(5, 3, device),
});
