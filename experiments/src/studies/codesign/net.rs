//! The network of these studies, as a model and as layers of an engine.

use burgeon_nn::{Growable, NnError};
use burgeon_ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use crate::layers::ConvNorm;

/// Three 3×3 convolutions with BatchNorm and SiLU, max pooling after the first and the third, a
/// linear head on what is left of the map.
#[derive(Module, Debug)]
pub(super) struct ThreeConvNet {
    first: ConvNorm,
    second: ConvNorm,
    third: ConvNorm,
    pool: FastMaxPool2d,
    output: Linear,
}

impl ThreeConvNet {
    /// For images of one channel with `side` rows and columns, divisible by 4.
    pub fn new(
        side: usize,
        widths: &[usize],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [first, second, third] = <[usize; 3]>::try_from(widths).map_err(|_| {
            NnError::Settings(format!(
                "the network has three convolutions, not {}: {widths:?}",
                widths.len()
            ))
        })?;
        let conv = |channels| ConvNorm::new(channels, 3, 1, device);
        Ok(Self {
            first: conv([1, first]),
            second: conv([first, second]),
            third: conv([second, third]),
            pool: FastMaxPool2dConfig::new([2, 2]).init(),
            output: LinearConfig::new(third * (side / 4) * (side / 4), classes).init(device),
        })
    }

    /// Channels of the convolutions.
    pub fn widths(&self) -> [usize; 3] {
        [&self.first, &self.second, &self.third].map(ConvNorm::channels)
    }
}

impl Growable for ThreeConvNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = self.pool.forward(silu(self.first.forward(input)));
        let maps = silu(self.third.forward(silu(self.second.forward(maps))));
        self.output
            .forward(self.pool.forward(maps).flatten::<2>(1, 3))
    }
}
