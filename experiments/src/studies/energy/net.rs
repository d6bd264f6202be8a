//! The MobileNet-style network of the study and its size.

use burgeon_core::cost::{CostModel, Macs};
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::{Growable, NnError, Samples};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use super::WIDTHS;
use crate::error::ExperimentError;
use crate::layers::{ConvNorm, DepthwiseNorm};

/// A stem and three blocks of a depthwise and a pointwise convolution, mean pooling, a linear head.
#[derive(Module, Debug)]
pub(super) struct SmallMobileNet {
    stem: ConvNorm,
    depthwise: Vec<DepthwiseNorm>,
    pointwise: Vec<ConvNorm>,
    output: Linear,
    /// Factor of the L1 norm of the mixing layers' BatchNorm scales in the training loss.
    #[module(skip)]
    sparsity: f64,
}

impl SmallMobileNet {
    /// `strides` of the stem and of the blocks.
    pub fn new(
        widths: &[usize],
        strides: [usize; 4],
        classes: usize,
        device: &Device,
    ) -> Result<Self, NnError> {
        let [stem, .., last] = widths else {
            return Err(NnError::Settings("the network has four widths".into()));
        };
        let blocks = widths.windows(2).zip(&strides[1..]);
        let (depthwise, pointwise) = blocks
            .map(|(pair, stride)| {
                (
                    DepthwiseNorm::new(pair[0], 3, *stride, device),
                    ConvNorm::new([pair[0], pair[1]], 1, 1, device),
                )
            })
            .unzip();
        Ok(Self {
            stem: ConvNorm::new([1, *stem], 3, strides[0], device),
            depthwise,
            pointwise,
            output: LinearConfig::new(*last, classes).init(device),
            sparsity: 0.0,
        })
    }

    /// The network with another weight of its scales' L1 norm (arXiv 1708.06519).
    pub fn with_sparsity(mut self, sparsity: f64) -> Self {
        self.sparsity = sparsity;
        self
    }

    /// The layers whose filters may go, the stem first, with their sites' names. A depthwise
    /// filter goes with the channel it reads.
    pub fn mixing(&self) -> impl Iterator<Item = (String, &ConvNorm)> {
        let named = |(index, layer)| (format!("pointwise.{index}.conv"), layer);
        let blocks = self.pointwise.iter().enumerate().map(named);
        std::iter::once(("stem.conv".to_owned(), &self.stem)).chain(blocks)
    }
}

impl Growable for SmallMobileNet {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = silu(self.stem.forward(input));
        for (depthwise, pointwise) in self.depthwise.iter().zip(&self.pointwise) {
            maps = silu(depthwise.forward(maps));
            maps = silu(pointwise.forward(maps));
        }
        let means = maps.mean_dim(3).mean_dim(2);
        self.output.forward(means.flatten(1, 3))
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        if self.sparsity == 0.0 {
            return None;
        }
        let scales = self.mixing().map(|(_, layer)| layer.norm.gamma.val());
        let norms = scales.map(|scales| scales.abs().sum());
        Some(norms.reduce(|a, b| a + b)? * self.sparsity)
    }
}

/// The widths of the stem and of the blocks.
pub(super) fn widths(model: &SmallMobileNet) -> Vec<usize> {
    let widths = model.mixing().map(|(_, layer)| layer.channels());
    widths.collect()
}

pub(super) fn macs(
    model: &SmallMobileNet,
    samples: &Samples<Tensor<4>>,
) -> Result<u64, ExperimentError> {
    Ok(Macs.cost(&layer_shapes(model, samples)?))
}

/// The uniformly widest network that `budget` MACs allow.
pub(super) fn widest(
    make: &impl Fn(&[usize]) -> Result<SmallMobileNet, ExperimentError>,
    samples: &Samples<Tensor<4>>,
    budget: u64,
) -> Result<SmallMobileNet, ExperimentError> {
    let mut tenths = 10;
    let mut model = make(&WIDTHS)?;
    loop {
        tenths += 1;
        let wider = make(&WIDTHS.map(|width| (width * tenths).div_ceil(10)))?;
        if macs(&wider, samples)? > budget {
            return Ok(model);
        }
        model = wider;
    }
}
