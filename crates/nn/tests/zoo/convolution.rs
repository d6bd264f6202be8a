//! Small convolutional nets, one structure each.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, PRelu, PReluConfig, PaddingConfig1d};
use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu, silu, softplus};

use super::example;
use super::layers::{conv, conv_config, global_mean, linear};

/// Flattened with the channels last: a channel's features are far apart.
#[derive(Module, Debug)]
pub struct ChannelsLast {
    pub conv: Conv2d,
    pub fc: Linear,
    pub head: Linear,
}

impl ChannelsLast {
    /// Outputs `[b, 3]` of `[b, 2, 6, 6]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = relu(self.conv.forward(x));
        let h: Tensor<2> = h.permute([0, 2, 3, 1]).flatten(1, 3);
        self.head.forward(silu(self.fc.forward(h)))
    }
}

example!(ChannelsLast = "channels_last", [2, 6, 6] => [3], |device| ChannelsLast {
    conv: conv([2, 4], 3, 2, device),
    fc: linear(4 * 9, 5, device),
    head: linear(5, 3, device),
});

/// Flattened as it is: a channel's features are neighbours.
#[derive(Module, Debug)]
pub struct ChannelsFirst {
    pub conv: Conv2d,
    pub fc: Linear,
    pub head: Linear,
}

impl ChannelsFirst {
    /// Outputs `[b, 3]` of `[b, 2, 6, 6]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h: Tensor<2> = silu(self.conv.forward(x)).flatten(1, 3);
        self.head.forward(silu(self.fc.forward(h)))
    }
}

example!(ChannelsFirst = "channels_first", [2, 6, 6] => [3], |device| ChannelsFirst {
    conv: conv([2, 4], 3, 2, device),
    fc: linear(4 * 9, 5, device),
    head: linear(5, 3, device),
});

/// Two layers of one dimension over time.
#[derive(Module, Debug)]
pub struct Audio {
    pub conv1: Conv1d,
    pub conv2: Conv1d,
    pub head: Linear,
}

impl Audio {
    /// Outputs `[b, 3]` of `[b, 2, 10]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let h = softplus(self.conv1.forward(x), 1.0);
        let h = leaky_relu(self.conv2.forward(h), 0.1);
        self.head.forward(h.flatten(1, 2))
    }
}

example!(Audio = "audio", [2, 10] => [3], |device| Audio {
    conv1: Conv1dConfig::new(2, 5, 3)
        .with_padding(PaddingConfig1d::Explicit(1, 1))
        .init(device),
    conv2: Conv1dConfig::new(5, 4, 3).with_stride(2).init(device),
    head: linear(4 * 4, 3, device),
});

/// A convolution of two groups between plain ones.
#[derive(Module, Debug)]
pub struct Grouped {
    pub first: Conv2d,
    pub grouped: Conv2d,
    pub last: Conv2d,
    pub head: Linear,
}

impl Grouped {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = silu(self.first.forward(x));
        let h = silu(self.grouped.forward(h));
        let h = silu(self.last.forward(h));
        self.head.forward(global_mean(h))
    }
}

example!(Grouped = "grouped", [3, 8, 8] => [3], |device| Grouped {
    first: conv([3, 4], 3, 2, device),
    grouped: conv_config([4, 6], 3, 1).with_groups(2).init(device),
    last: conv([6, 5], 1, 1, device),
    head: linear(5, 3, device),
});

/// A norm of channel groups and a slope of each channel.
#[derive(Module, Debug)]
pub struct GroupNormNet {
    pub conv1: Conv2d,
    pub norm: GroupNorm,
    pub prelu: PRelu,
    pub conv2: Conv2d,
    pub head: Linear,
}

impl GroupNormNet {
    /// Outputs `[b, 3]` of `[b, 3, 8, 8]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = self.norm.forward(self.conv1.forward(x));
        let h = self.conv2.forward(self.prelu.forward(h));
        self.head.forward(global_mean(silu(h)))
    }
}

example!(GroupNormNet = "group_norm_net", [3, 8, 8] => [3], |device| GroupNormNet {
    conv1: conv([3, 6], 3, 2, device),
    norm: GroupNormConfig::new(2, 6).init(device),
    prelu: PReluConfig::new().with_num_parameters(6).init(device),
    conv2: conv([6, 5], 3, 1, device),
    head: linear(5, 3, device),
});
