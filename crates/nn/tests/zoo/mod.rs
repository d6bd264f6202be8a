//! Ordinary Burn models for tests: layers of `burn::nn`, a derived `Module` and a plain `forward`.
//! Nothing in a model is there because of growing.
//!
//! Widths are small, since tests difference in f64, but each structure is that of the published
//! architecture. `every_example!` lists all of them.
//!
//! Test binaries have `mod zoo;` at their root, where its macros look for it.

pub mod activation;
pub mod attention;
pub mod convolution;
pub mod dense;
pub mod fill;
pub mod gated;
pub mod layers;
pub mod merge;
pub mod mixer;
pub mod mobilenet;
pub mod recurrent;
pub mod resnet;
pub mod text;
pub mod unet;
pub mod vgg;

use burn::module::Module;
use burn::tensor::{DType, Device};

pub use activation::*;
pub use attention::*;
pub use convolution::*;
pub use dense::*;
pub use fill::*;
pub use gated::*;
pub use merge::*;
pub use mixer::*;
pub use mobilenet::*;
pub use recurrent::*;
pub use resnet::*;
pub use text::*;
pub use unet::*;
pub use vgg::*;

/// A model with a way to make it and inputs for it.
pub trait Example: Module + Clone + Send + Sync + 'static {
    /// What `predict` reads; the batch is the first axis of each tensor.
    type Input;

    /// What `predict` answers.
    type Output;

    /// A name of its own.
    const NAME: &'static str;

    /// Shape of an answer to one sample, without the batch.
    const ANSWER: &'static [usize];

    /// A new model with Burn's initial weights, which come from the process's generator; see
    /// [`filled`] for weights that tests can rely on.
    fn new(device: &Device) -> Self;

    /// The model's forward pass.
    fn predict(&self, input: Self::Input) -> Self::Output;

    /// `batch` samples; those of a smaller batch are the first ones of a larger.
    fn input(batch: usize, device: &Device, dtype: DType, seed: u64) -> Self::Input;
}

/// A model of type `M` whose weights and running statistics follow from `seed` alone.
pub fn made<M: Example>(device: &Device, seed: u64) -> M {
    filled(M::new(device), seed)
}

/// Hands `$with!` all examples, as `function_name: Type` separated by commas.
macro_rules! every_example {
    ($with:ident) => {
        $with! {
            mlp: Mlp,
            mlp_relu: MlpRelu,
            mlp_tanh: MlpTanh,
            mlp_batch_norm: MlpBatchNorm,
            conv_flat_norm: ConvFlatNorm,
            two_inputs: TwoInputs,
            image_and_features: ImageAndFeatures,
            linear_to_conv: LinearToConv,
            generator: Generator,
            activated: Activated,
            leaky_relu: ActivatedLeakyRelu,
            elu: ActivatedElu,
            selu: ActivatedSelu,
            hard_swish: ActivatedHardSwish,
            mish: ActivatedMish,
            softplus: ActivatedSoftplus,
            gelu_approximate: ActivatedGeluApproximate,
            bump: ActivatedBump,
            gaussian: ActivatedGaussian,
            prelu: ActivatedPRelu,
            gated_unit: GatedUnit,
            squeeze_excite: SqueezeExcite,
            resnet20: ResNet20,
            resnet20_relu: ResNet20Relu,
            unet: UNet,
            unet_nearest: UNetNearest,
            mobilenet: MobileNetV2,
            mobilenet_relu6: MobileNetV2Relu6,
            mobilenet_depthwise: MobileNetV2Depthwise,
            mlp_mixer: MlpMixer,
            text_encoder: TextEncoder,
            tagger: Tagger,
            lstm: LstmCell,
            lstm_fused: FusedLstmCell,
            lstm_sliced: SlicedLstmCell,
            attention: Attention,
            channels_last: ChannelsLast,
            channels_first: ChannelsFirst,
            shared_head: SharedHead,
            dense_block: DenseBlock,
            audio: Audio,
            grouped: Grouped,
            group_norm_net: GroupNormNet,
            vgg: Vgg,
            vgg11: Vgg11,
            vgg19: Vgg19,
        }
    };
}
pub(crate) use every_example;

/// Examples `$name` that are `$base` made otherwise: modules with `$base` as their only field.
macro_rules! variants {
    ($base:ty: $($(#[$doc:meta])* $name:ident = $label:literal, $new:expr;)+) => {$(
        $(#[$doc])*
        #[derive(burn::module::Module, Debug)]
        pub struct $name {
            /// The model itself.
            pub net: $base,
        }

        impl $crate::zoo::Example for $name {
            type Input = <$base as $crate::zoo::Example>::Input;
            type Output = <$base as $crate::zoo::Example>::Output;
            const NAME: &'static str = $label;
            const ANSWER: &'static [usize] = <$base as $crate::zoo::Example>::ANSWER;

            fn new(device: &burn::tensor::Device) -> Self {
                let new: fn(&burn::tensor::Device) -> $base = $new;
                Self { net: new(device) }
            }

            fn predict(&self, input: Self::Input) -> Self::Output {
                self.net.forward(input)
            }

            fn input(
                batch: usize,
                device: &burn::tensor::Device,
                dtype: burn::tensor::DType,
                seed: u64,
            ) -> Self::Input {
                <$base as $crate::zoo::Example>::input(batch, device, dtype, seed)
            }
        }
    )+};
}
pub(crate) use variants;

/// Implements [`Example`] for a model of one float tensor `[batch, ..shape]` with a `forward`.
macro_rules! example {
    ($name:ident = $label:literal, $shape:expr => $answer:expr, $new:expr) => {
        impl $crate::zoo::Example for $name {
            type Input = burn::tensor::Tensor<{ $shape.len() + 1 }>;
            type Output = burn::tensor::Tensor<{ $answer.len() + 1 }>;
            const NAME: &'static str = $label;
            const ANSWER: &'static [usize] = &$answer;

            fn new(device: &burn::tensor::Device) -> Self {
                let new: fn(&burn::tensor::Device) -> Self = $new;
                new(device)
            }

            fn predict(&self, input: Self::Input) -> Self::Output {
                self.forward(input)
            }

            fn input(
                batch: usize,
                device: &burn::tensor::Device,
                dtype: burn::tensor::DType,
                seed: u64,
            ) -> Self::Input {
                $crate::zoo::normal(batch, &$shape, device, dtype, seed)
            }
        }
    };
}
pub(crate) use example;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Makes each model and its input, and collects names.
    macro_rules! names {
        ($($function:ident: $model:ident,)+) => {{
            let device = Device::flex();
            let mut names = Vec::new();
            $(
                let input = $model::input(1, &device, DType::F32, 1);
                drop(made::<$model>(&device, 2).predict(input));
                names.push(($model::NAME, $model::ANSWER));
            )+
            names
        }};
    }

    #[test]
    fn every_model_has_a_name_of_its_own_and_an_answer() {
        let names = super::every_example!(names);
        let distinct: BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
        assert_eq!(distinct.len(), names.len());
        for (name, answer) in names {
            assert!(answer.iter().product::<usize>() > 0, "{name}");
        }
    }
}
