//! The networks that are timed.

use burgeon_core::Activation;
use burgeon_nn::{
    Growable, GrowableConv2d, GrowableConv2dConfig, GrowableLinear, GrowableLinearConfig, NnError,
    Topology,
};
use burgeon_ops::max_pool2d;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// An MLP with one hidden layer.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: GrowableLinear,
    output: Linear,
}

impl Mlp {
    /// A network of widths `[inputs, neurons]` and 10 outputs.
    ///
    /// # Errors
    /// [`NnError::Layer`] if a width is 0.
    pub fn new([inputs, neurons]: [usize; 2], device: &Device) -> Result<Self, NnError> {
        let hidden = GrowableLinearConfig::new(inputs, neurons).with_activation(Activation::relu());
        Ok(Self {
            hidden: hidden.init(device)?,
            output: LinearConfig::new(neurons, 10).init(device),
        })
    }
}

impl Growable for Mlp {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(input))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        Topology::chain()
            .layer("hidden", &self.hidden)
            .layer("output", &self.output)
            .build()
    }
}

/// 3×3 convolutions, mean pooling, a linear layer to 10 outputs.
#[derive(Module, Debug)]
pub struct ConvNet {
    convolutions: Vec<GrowableConv2d>,
    output: Linear,
    /// After which of the convolutions maps are halved.
    #[module(skip)]
    halved: Vec<bool>,
}

impl ConvNet {
    /// Convolutions of `channels`, input first.
    ///
    /// # Errors
    /// [`NnError::Layer`] if a width is 0.
    pub fn new(
        channels: &[usize],
        halved: &[bool],
        norm: bool,
        device: &Device,
    ) -> Result<Self, NnError> {
        let convolution = |pair: &[usize]| {
            GrowableConv2dConfig::new([pair[0], pair[1]], [3, 3])
                .with_norm(norm)
                .with_bias(!norm)
                .init(device)
        };
        let convolutions = channels
            .windows(2)
            .map(convolution)
            .collect::<Result<_, _>>()?;
        let last = channels.last().copied().unwrap_or(0);
        Ok(Self {
            convolutions,
            output: LinearConfig::new(last, 10).init(device),
            halved: halved.to_vec(),
        })
    }

    /// Two convolutions on small maps.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn two(channels: [usize; 3], device: &Device) -> Result<Self, NnError> {
        Self::new(&channels, &[false; 2], false, device)
    }

    /// 3-16-32-64 with batch normalisation, maps halved twice.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn small(device: &Device) -> Result<Self, NnError> {
        Self::new(&[3, 16, 32, 64], &[true, true, false], true, device)
    }

    /// VGG-11 with batch normalisation for 32×32 images, its first layer `width` wide.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn vgg_11(width: usize, device: &Device) -> Result<Self, NnError> {
        let widths = [1, 2, 4, 4, 8, 8, 8, 8].map(|factor| factor * width);
        let channels: Vec<usize> = [3].into_iter().chain(widths).collect();
        let halved = [true, true, false, true, false, true, false, true];
        Self::new(&channels, &halved, true, device)
    }
}

impl Growable for ConvNet {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = input;
        for (convolution, halved) in self.convolutions.iter().zip(&self.halved) {
            maps = convolution.forward(maps);
            if *halved {
                maps = max_pool2d(maps, [2, 2], [2, 2]);
            }
        }
        let [b, c, h, w] = maps.dims();
        let means = maps.reshape([b, c, h * w]).mean_dim(2);
        self.output.forward(means.reshape([b, c]))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let mut chain = Topology::chain();
        for (index, convolution) in self.convolutions.iter().enumerate() {
            chain = chain.layer(&format!("conv{}", index + 1), convolution);
        }
        chain.layer("output", &self.output).build()
    }
}
