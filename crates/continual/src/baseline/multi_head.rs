//! A network of fixed widths with a head for each task.

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::architecture::Architecture;
use crate::error::ContinualError;
use crate::layer::{HiddenLayer, linear};

/// Hidden layers that all tasks share, and a head for each.
#[derive(Module, Debug)]
pub struct MultiHead {
    layers: Vec<HiddenLayer>,
    heads: Vec<Linear>,
    /// The head that answers; all of them side by side where there is none.
    #[module(skip)]
    active: Option<usize>,
}

impl MultiHead {
    /// Hidden layers of `widths` without a head yet, drawn by `seed`.
    ///
    /// # Errors
    /// [`ContinualError::Architecture`] for widths that do not fit.
    pub fn new(
        architecture: &Architecture,
        widths: &[usize],
        seed: u64,
        device: &Device,
    ) -> Result<Self, ContinualError> {
        architecture.check_widths(widths)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut channels = architecture.input()[0];
        let mut layers = Vec::with_capacity(widths.len());
        for (layer, &width) in widths.iter().enumerate() {
            let drawn = HiddenLayer::new(architecture, layer, [channels, width], &mut rng, device);
            layers.push(drawn);
            channels = width;
        }
        Ok(Self {
            layers,
            heads: Vec::new(),
            active: None,
        })
    }

    /// With one more head, of `classes` outputs.
    #[must_use]
    pub fn with_head(
        mut self,
        architecture: &Architecture,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let channels = self.layers.last().map_or(0, HiddenLayer::width);
        let positions = architecture.positions().last().copied().unwrap_or(1);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.heads
            .push(linear(channels * positions, classes, &mut rng, device));
        self
    }

    /// Number of heads.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// Answering by the head of `task`.
    ///
    /// # Errors
    /// [`ContinualError::UnknownTask`] where there is none.
    pub fn answering(mut self, task: usize) -> Result<Self, ContinualError> {
        let learned = self.heads.len();
        if task >= learned {
            return Err(ContinualError::UnknownTask { task, learned });
        }
        self.active = Some(task);
        Ok(self)
    }

    /// The hidden layers, which all tasks share.
    pub(crate) fn trunk(&self) -> &Vec<HiddenLayer> {
        &self.layers
    }
}

impl Growable for MultiHead {
    type Input = Tensor<4>;
    type Output = Tensor<2>;

    /// Logits `[b, classes]` of the head that answers, or `[b, all classes]`.
    fn predict(&self, images: Tensor<4>) -> Tensor<2> {
        let layers = self.layers.iter();
        let features = layers.fold(images, |features, layer| layer.forward(features));
        let features = features.flatten::<2>(1, 3);
        match self.active.and_then(|task| self.heads.get(task)) {
            Some(head) => head.forward(features),
            None => {
                let heads = self.heads.iter();
                Tensor::cat(
                    heads.map(|head| head.forward(features.clone())).collect(),
                    1,
                )
            }
        }
    }
}
