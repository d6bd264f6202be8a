//! The networks of the image studies.

use burgeon_core::Activation;
use burgeon_nn::{
    Growable, GrowableConv2d, GrowableConv2dConfig, GrowableLinear, GrowableLinearConfig, NnError,
    Topology,
};
use burgeon_ops::max_pool2d;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Two hidden layers.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    hidden1: GrowableLinear,
    hidden2: GrowableLinear,
    output: Linear,
}

impl Mlp {
    pub fn new(
        inputs: usize,
        widths: &[usize],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [first, second] = two(widths)?;
        let hidden = |inputs, neurons| {
            GrowableLinearConfig::new(inputs, neurons)
                .with_activation(Activation::Silu)
                .init(device)
        };
        Ok(Self {
            hidden1: hidden(inputs, first)?,
            hidden2: hidden(first, second)?,
            output: LinearConfig::new(second, classes).init(device),
        })
    }
}

impl Growable for Mlp {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let features = self.hidden1.forward(input.flatten::<2>(1, 3));
        self.output.forward(self.hidden2.forward(features))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("hidden1", &self.hidden1)
            .layer("hidden2", &self.hidden2)
            .layer("output", &self.output)
            .build()
    }
}

/// Two 3×3 convolutions with BatchNorm, max pooling after each, a linear head on
/// what is left of the map.
#[derive(Module, Debug)]
pub(super) struct ConvNet {
    conv1: GrowableConv2d,
    conv2: GrowableConv2d,
    output: Linear,
    positions: usize,
}

impl ConvNet {
    /// `size` is the images' height and width, divisible by 4.
    pub fn new(
        size: usize,
        widths: &[usize],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [first, second] = two(widths)?;
        let conv = |channels| {
            GrowableConv2dConfig::new(channels, [3, 3])
                .with_activation(Activation::Silu)
                .init(device)
        };
        let positions = (size / 4) * (size / 4);
        Ok(Self {
            conv1: conv([1, first])?,
            conv2: conv([first, second])?,
            output: LinearConfig::new(second * positions, classes).init(device),
            positions,
        })
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let x = max_pool2d(self.conv1.forward(input), [2, 2], [2, 2]);
        let x = max_pool2d(self.conv2.forward(x), [2, 2], [2, 2]);
        self.output.forward(x.flatten::<2>(1, 3))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("conv1", &self.conv1)
            .layer("conv2", &self.conv2)
            .flatten(self.positions)
            .layer("output", &self.output)
            .build()
    }
}

fn two(widths: &[usize]) -> Result<[usize; 2], NnError> {
    <[usize; 2]>::try_from(widths).map_err(|_| {
        NnError::Settings(format!(
            "the network has two growable layers, not {widths:?}"
        ))
    })
}
