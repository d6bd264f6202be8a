//! Chains of convolutions as models.

use burgeon_coexplore::chain::ChainNet;
use burgeon_nn::Growable;
use burgeon_zoo::ConvNorm;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Each convolution is followed by ReLU and then by BatchNorm, as in the published networks; a
/// linear layer reads all positions of the last maps.
#[derive(Module, Debug)]
pub(super) struct ChainModel {
    layers: Vec<ConvNorm>,
    output: Linear,
}

impl ChainModel {
    /// The network that `chain` tells of.
    pub fn new(chain: &ChainNet, device: &Device) -> Self {
        let mut channels = chain.input()[0];
        let layers = chain.layers().iter().map(|layer| {
            let own = [channels, layer.filters];
            channels = layer.filters;
            ConvNorm::new(own, layer.kernel, layer.stride, true, device)
        });
        let layers = layers.collect();
        let [rows, columns] = chain.last_map();
        Self {
            layers,
            output: LinearConfig::new(channels * rows * columns, chain.classes()).init(device),
        }
    }
}

impl Growable for ChainModel {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let maps = self.layers.iter().fold(input, |maps, layer| {
            layer.norm.forward(relu(layer.conv.forward(maps)))
        });
        self.output.forward(maps.flatten::<2>(1, 3))
    }
}

#[cfg(test)]
mod tests {
    use burgeon_core::CostModel;
    use burgeon_core::cost::Macs;
    use burgeon_nn::Samples;
    use burgeon_nn::cost::layer_shapes;
    use burgeon_nn::growable::parameter_count;

    use super::*;
    use crate::error::ExperimentError;

    #[test]
    fn models_are_the_chains_that_are_priced() -> Result<(), ExperimentError> {
        let device = burgeon::backend::open("flex")?.device();
        let layers = [[5, 6, 2], [1, 8, 1], [7, 4, 2], [3, 5, 1]];
        for side in [8, 9] {
            let chain = ChainNet::new(&layers, [3, side, side], 10)?;
            let model = ChainModel::new(&chain, &device);
            assert_eq!(parameter_count(&model), chain.parameters()[1]);
            let images = Tensor::<4>::zeros([1, 3, side, side], &device);
            let sample = Samples::classification(images, &[3], 10, &device)?;
            let priced: f64 = chain.conv_layers()?.iter().map(|layer| layer.macs()).sum();
            assert_eq!(Macs.cost(&layer_shapes(&model, &sample)?) as f64, priced);
        }
        Ok(())
    }
}
