//! What surgery needs to know of a layer.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;

use crate::error::NnError;

/// A parameter or buffer that has one slice for each output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelParam {
    /// Its id.
    pub id: ParamId,
    /// The axis that counts output channels.
    pub axis: usize,
    /// Numbers in one channel's slice.
    pub size: usize,
    /// Whether it is trained (a weight, not a running statistic).
    pub trained: bool,
}

/// How a layer that mixes channels reads its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixingSpec {
    /// Its weight.
    pub weight: ParamId,
    /// The weight's axis that counts inputs.
    pub input_axis: usize,
    /// Number of inputs.
    pub inputs: usize,
    /// Numbers of the weight that one input takes, over all outputs.
    pub size: usize,
    /// Whether it surely gives as many positions as it reads.
    pub keeps_positions: bool,
}

/// How the vector `θ` of a neuron lies in the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FanInLayout {
    /// Column j of `[in, out]`.
    Column,
    /// Row j of `[out, …]`, flattened.
    Row,
}

/// The site of a growable layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteSpec {
    /// Its weight, which identifies the layer in a capture.
    pub weight: ParamId,
    /// Its bias: the last entry of `θ`.
    pub bias: Option<ParamId>,
    /// Where `θ` lies in the weight.
    pub layout: FanInLayout,
    /// Dimension of `θ`, bias included.
    pub dim: usize,
    /// Whether the activation's `σ″` is exact.
    pub exact_curvature: bool,
}

/// A layer's part in the flow of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    /// Number of output channels.
    pub outputs: usize,
    /// Everything that has one slice for each output channel.
    pub channel_params: Vec<ChannelParam>,
    /// How it mixes its input; `None` for a channel-wise layer.
    pub mixing: Option<MixingSpec>,
    /// Its site, if its neurons may be split.
    pub site: Option<SiteSpec>,
    /// Whether it is linear in each channel (a normalisation in inference mode is).
    pub linear: bool,
}

/// A layer that a [`Topology`](crate::Topology) can hold.
pub trait Layer {
    /// The layer as surgery sees it.
    ///
    /// # Errors
    /// [`NnError::Layer`] for a configuration that surgery cannot widen.
    fn spec(&self) -> Result<LayerSpec, NnError>;
}

/// The per-channel parameters of a normalisation.
pub(crate) fn norm_params(norm: &BatchNorm) -> Vec<ChannelParam> {
    struct Visitor<'a>(&'a BatchNorm, Vec<ChannelParam>);
    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let trained = [self.0.gamma.id, self.0.beta.id].contains(&param.id);
            self.1.push(ChannelParam {
                id: param.id,
                axis: 0,
                size: 1,
                trained,
            });
        }
    }
    let mut visitor = Visitor(norm, Vec::new());
    norm.visit(&mut visitor);
    visitor.1
}

pub(crate) fn linear_spec(linear: &Linear) -> LayerSpec {
    let [inputs, outputs] = linear.weight.shape().dims();
    LayerSpec {
        outputs,
        channel_params: channel_params(linear.weight.id, 1, inputs, &linear.bias),
        mixing: Some(MixingSpec {
            weight: linear.weight.id,
            input_axis: 0,
            inputs,
            size: outputs,
            keeps_positions: true,
        }),
        site: None,
        linear: true,
    }
}

pub(crate) fn conv_spec(conv: &Conv2d) -> Result<LayerSpec, NnError> {
    if conv.groups != 1 {
        return Err(NnError::Layer {
            layer: "Conv2d",
            problem: format!(
                "{} groups cannot be widened channel by channel: use 1 group, or \
                 GrowableDepthwiseConv2d for a depthwise convolution",
                conv.groups
            ),
        });
    }
    let [outputs, inputs, height, width] = conv.weight.shape().dims();
    let taps = height * width;
    Ok(LayerSpec {
        outputs,
        channel_params: channel_params(conv.weight.id, 0, inputs * taps, &conv.bias),
        mixing: Some(MixingSpec {
            weight: conv.weight.id,
            input_axis: 1,
            inputs,
            size: outputs * taps,
            keeps_positions: conv.stride == [1, 1]
                && (taps == 1 && conv.padding == PaddingConfig2d::Valid
                    || conv.padding == PaddingConfig2d::Same),
        }),
        site: None,
        linear: true,
    })
}

pub(crate) fn channel_params(
    weight: ParamId,
    axis: usize,
    size: usize,
    bias: &Option<Param<Tensor<1>>>,
) -> Vec<ChannelParam> {
    let param = |id, axis, size| ChannelParam {
        id,
        axis,
        size,
        trained: true,
    };
    let bias = bias.as_ref().map(|bias| param(bias.id, 0, 1));
    std::iter::once(param(weight, axis, size))
        .chain(bias)
        .collect()
}

impl Layer for Linear {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        Ok(linear_spec(self))
    }
}

impl Layer for Conv2d {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        conv_spec(self)
    }
}

impl Layer for BatchNorm {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        let [outputs] = self.gamma.shape().dims();
        Ok(LayerSpec {
            outputs,
            channel_params: norm_params(self),
            mixing: None,
            site: None,
            linear: true,
        })
    }
}
