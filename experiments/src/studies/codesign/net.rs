//! The network of these studies, as a model and as layers of an engine.

use burgeon_hardware::{ConvLayer, HardwareError};
use burgeon_nn::{Growable, NnError};
use burgeon_ops::{FastMaxPool2d, FastMaxPool2dConfig};
use burgeon_zoo::ConvNorm;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

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
        let conv = |channels| ConvNorm::new(channels, 3, 1, false, device);
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
        [&self.first, &self.second, &self.third].map(|layer| layer.conv.weight.dims()[0])
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

/// The layers of a [`ThreeConvNet`] as engines see them, without a model.
///
/// # Errors
/// [`HardwareError::Parameter`] where a number is 0.
pub(super) fn conv_layers(
    side: usize,
    [first, second, third]: [usize; 3],
    classes: usize,
) -> Result<[ConvLayer; 4], HardwareError> {
    let (half, quarter) = (side / 2, side / 4);
    let features = third * quarter * quarter;
    Ok([
        ConvLayer::new("first.conv", [1, first], [side; 2], 3)?,
        ConvLayer::new("second.conv", [first, second], [half; 2], 3)?,
        ConvLayer::new("third.conv", [second, third], [half; 2], 3)?,
        ConvLayer::new("output", [features, classes], [1, 1], 1)?,
    ])
}

#[cfg(test)]
mod tests {
    use burgeon_nn::Samples;
    use burgeon_nn::cost::layer_shapes;

    use super::*;
    use crate::error::ExperimentError;

    #[test]
    fn the_model_has_the_layers_that_searches_price() -> Result<(), ExperimentError> {
        let device = burgeon::backend::open("flex")?.device();
        let widths = [5, 7, 3];
        let model = ThreeConvNet::new(8, &widths, 10, &device)?;
        let images = Tensor::<4>::zeros([1, 1, 8, 8], &device);
        let sample = Samples::classification(images, &[3], 10, &device)?;
        let layers = ConvLayer::all(&layer_shapes(&model, &sample)?)?;
        assert_eq!(layers, conv_layers(8, widths, 10)?);
        assert_eq!(model.widths(), widths);
        Ok(())
    }
}
