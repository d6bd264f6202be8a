//! Fully connected layers.

use burgeon_core::{Activation, SiteInput};
use burgeon_ops::activate;
use burn::config::Config;
use burn::module::{Module, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::spec::{FanInLayout, Layer, LayerSpec, SiteSpec, linear_spec, norm_params};
use super::{InnerOrSelf, bias_of, check_width, folded, multiply, norm_scale};
use crate::error::NnError;
use crate::mode;
use crate::recording::{self, Outputs, Passage};
use crate::rehearsal::{self, Folded, Rehearsed};

/// Configuration of a [`GrowableLinear`].
#[derive(Config, Debug)]
pub struct GrowableLinearConfig {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of neurons.
    pub neurons: usize,
    /// The activation.
    #[config(default = "Activation::relu()")]
    pub activation: Activation,
    /// Whether the neurons have a bias.
    #[config(default = true)]
    pub bias: bool,
    /// Whether a batch normalisation stands before the activation.
    #[config(default = false)]
    pub norm: bool,
}

impl GrowableLinearConfig {
    /// A layer with Burn's default initialisation.
    ///
    /// # Errors
    /// [`NnError::Layer`] if a width is 0.
    pub fn init(&self, device: &Device) -> Result<GrowableLinear, NnError> {
        check_width("GrowableLinear", "number of inputs", self.inputs)?;
        check_width("GrowableLinear", "number of neurons", self.neurons)?;
        let linear = LinearConfig::new(self.inputs, self.neurons).with_bias(self.bias);
        let norm = self.norm.then(|| BatchNormConfig::new(self.neurons));
        Ok(GrowableLinear {
            linear: linear.init(device),
            norm: norm.map(|norm| norm.init(device)),
            activation: self.activation,
        })
    }
}

/// `σ(norm(x·W + b))`: a linear layer whose neurons may be split.
#[derive(Module, Debug)]
pub struct GrowableLinear {
    /// The affine map, weight `[in, out]`.
    pub linear: Linear,
    /// The normalisation before the activation.
    pub norm: Option<BatchNorm>,
    /// The activation.
    #[module(skip)]
    pub activation: Activation,
}

impl GrowableLinear {
    /// Maps `[…, in]` to `[…, out]`; with a normalisation `[n, in]` only.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if mode::is_rehearsing() {
            let mut shape = input.dims();
            shape[D - 1] = self.neurons();
            if let Some(output) = rehearsal::forward(self, &recording::rows(input.clone())) {
                return output.reshape(shape);
            }
        }
        let (weight, bias) = (self.linear.weight.val(), bias_of(&self.linear.bias));
        let mut z = multiply(input.clone(), weight, bias, burn::tensor::module::linear);
        if let Some(norm) = &self.norm {
            z = norm.forward(z);
        }
        let output = activate(self.activation, z.clone());
        if !mode::is_recording() {
            return output;
        }
        let (output, gradient) = recording::probe(output, Outputs::of_rows);
        mode::push(Passage {
            weight: self.linear.weight.id,
            input: SiteInput::Rows(recording::rows(input.inner_or_self())),
            bias: self.linear.bias.is_some(),
            pre_activation: Outputs::of_rows(z.inner_or_self()),
            scale: self.norm.as_ref().map(norm_scale),
            activation: self.activation,
            gradient,
        });
        output
    }

    /// Number of neurons.
    pub fn neurons(&self) -> usize {
        self.linear.weight.dims()[1]
    }
}

impl Rehearsed<2> for GrowableLinear {
    const INPUT_AXIS: usize = 0;

    fn id(&self) -> ParamId {
        self.linear.weight.id
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn folded(&self) -> Folded<2> {
        folded(
            self.linear.weight.val(),
            1,
            bias_of(&self.linear.bias),
            self.norm.as_ref(),
        )
    }

    fn apply(&self, weight: Tensor<2>, offset: Option<Tensor<1>>, input: Tensor<2>) -> Tensor<2> {
        burn::tensor::module::linear(input, weight, offset)
    }

    fn read(outputs: Outputs) -> Option<Tensor<2>> {
        match outputs {
            Outputs::Rows(rows) => Some(rows),
            Outputs::Maps(_) => None,
        }
    }
}

impl Layer for GrowableLinear {
    fn spec(&self) -> Result<LayerSpec, NnError> {
        let mut spec = linear_spec(&self.linear);
        spec.channel_params
            .extend(self.norm.iter().flat_map(norm_params));
        let [inputs, _] = self.linear.weight.dims();
        let bias = self.linear.bias.as_ref().map(|bias| bias.id);
        spec.site = Some(SiteSpec {
            weight: self.linear.weight.id,
            bias,
            layout: FanInLayout::Column,
            dim: inputs + usize::from(bias.is_some()),
            exact_curvature: self.activation.has_exact_curvature(),
        });
        spec.linear = false;
        Ok(spec)
    }
}
