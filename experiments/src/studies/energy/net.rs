//! The MobileNet-style network of the study and its size.

use burgeon_core::Activation;
use burgeon_core::cost::{CostModel, Macs};
use burgeon_nn::cost::layer_shapes;
use burgeon_nn::{
    Growable, GrowableConv2d, GrowableConv2dConfig, GrowableDepthwiseConv2d,
    GrowableDepthwiseConv2dConfig, NnError, Samples, Topology,
};
use burn::module::Module;
use burn::nn::{BatchNorm, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::WIDTHS;
use crate::error::ExperimentError;

/// A stem and three blocks of a depthwise and a pointwise convolution, mean pooling, a linear head.
#[derive(Module, Debug)]
pub(super) struct SmallMobileNet {
    stem: GrowableConv2d,
    depthwise: Vec<GrowableDepthwiseConv2d>,
    pointwise: Vec<GrowableConv2d>,
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
        let [stem, ..] = widths else {
            return Err(NnError::Settings("the network has four widths".into()));
        };
        let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let activation = Activation::Silu;
        let first = GrowableConv2dConfig::new([1, *stem], [3, 3])
            .with_stride([strides[0]; 2])
            .with_padding(padding.clone())
            .with_activation(activation);
        let mut depthwise = Vec::new();
        let mut pointwise = Vec::new();
        for (pair, stride) in widths.windows(2).zip(&strides[1..]) {
            let each = GrowableDepthwiseConv2dConfig::new(pair[0], [3, 3])
                .with_stride([*stride; 2])
                .with_padding(padding.clone())
                .with_activation(activation);
            let mix = GrowableConv2dConfig::new([pair[0], pair[1]], [1, 1]);
            depthwise.push(each.init(device)?);
            pointwise.push(mix.with_activation(activation).init(device)?);
        }
        let last = widths.last().copied().unwrap_or(*stem);
        Ok(Self {
            stem: first.init(device)?,
            depthwise,
            pointwise,
            output: LinearConfig::new(last, classes).init(device),
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
    pub fn mixing(&self) -> impl Iterator<Item = (String, &GrowableConv2d)> {
        let named = |(index, layer)| (format!("pointwise{}", index + 1), layer);
        let blocks = self.pointwise.iter().enumerate().map(named);
        std::iter::once(("stem".to_owned(), &self.stem)).chain(blocks)
    }
}

/// The BatchNorm scales `[c]` of a mixing layer.
pub(super) fn scales(layer: &GrowableConv2d) -> Option<Tensor<1>> {
    layer.norm.as_ref().map(|norm: &BatchNorm| norm.gamma.val())
}

impl Growable for SmallMobileNet {
    type Input = Tensor<4>;

    fn predict(&self, input: Tensor<4>) -> Tensor<2> {
        let mut maps = self.stem.forward(input);
        for (depthwise, pointwise) in self.depthwise.iter().zip(&self.pointwise) {
            maps = pointwise.forward(depthwise.forward(maps));
        }
        let [b, c, ..] = maps.dims();
        self.output
            .forward(maps.mean_dim(3).mean_dim(2).reshape([b, c]))
    }

    fn topology(&self) -> Result<Topology, NnError> {
        let mut chain = Topology::chain().layer("stem", &self.stem);
        let blocks = self.depthwise.iter().zip(&self.pointwise);
        for (index, (depthwise, pointwise)) in blocks.enumerate() {
            chain = chain
                .layer(&format!("depthwise{}", index + 1), depthwise)
                .layer(&format!("pointwise{}", index + 1), pointwise);
        }
        chain.layer("output", &self.output).build()
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        if self.sparsity == 0.0 {
            return None;
        }
        let norms = self
            .mixing()
            .filter_map(|(_, layer)| Some(scales(layer)?.abs().sum()));
        Some(norms.reduce(|a, b| a + b)? * self.sparsity)
    }
}

/// The stem and block widths among a topology's.
pub(super) fn widths(model: &SmallMobileNet) -> Result<Vec<usize>, NnError> {
    Ok(mixing_widths(model.topology()?.widths()))
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

/// The stem and block widths among those of all layers.
pub(super) fn mixing_widths(widths: Vec<(String, usize)>) -> Vec<usize> {
    let mixing = widths
        .into_iter()
        .filter(|(name, _)| !name.starts_with("depthwise"));
    mixing.map(|(_, width)| width).collect()
}
