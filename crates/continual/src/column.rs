//! The neurons of one task.

use burgeon_nn::Growable;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::architecture::Architecture;
use crate::given::Given;
use crate::layer::{HiddenLayer, linear, reading};

/// The neurons of one task: hidden layers and a head. Each layer reads the column's own layer
/// before it and, beside those, the old neurons there that the task reuses; nothing old reads it.
/// It is an ordinary Burn model, which is traced, trained and grown as any other: reused neurons
/// are part of its input, so only its own grow.
#[derive(Module, Debug)]
pub struct Column {
    layers: Vec<HiddenLayer>,
    head: Linear,
}

impl Column {
    /// A column of `widths` own neurons that reads `reused` old neurons of each hidden layer, drawn
    /// by `seed`.
    pub(crate) fn new(
        architecture: &Architecture,
        widths: &[usize],
        reused: &[usize],
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut channels = architecture.input()[0];
        let mut layers = Vec::with_capacity(widths.len());
        for (layer, (&width, &old)) in widths.iter().zip(reused).enumerate() {
            let drawn = HiddenLayer::new(architecture, layer, [channels, width], &mut rng, device);
            layers.push(drawn);
            channels = width + old;
        }
        let positions = architecture.positions().last().copied().unwrap_or(1);
        Self {
            layers,
            head: linear(channels * positions, classes, &mut rng, device),
        }
    }

    /// Own neurons of each hidden layer.
    pub fn widths(&self) -> Vec<usize> {
        self.layers.iter().map(HiddenLayer::width).collect()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.head.weight.dims()[1]
    }

    /// The hidden layers.
    pub(crate) fn layers(&self) -> &[HiddenLayer] {
        &self.layers
    }

    /// What the own neurons of each hidden layer answer, `[b, own, h, w]`, and the logits
    /// `[b, classes]`.
    pub fn answers(&self, given: &Given) -> (Vec<Tensor<4>>, Tensor<2>) {
        let mut read = given.images().clone();
        let mut own = Vec::with_capacity(self.layers.len());
        for (layer, hidden) in self.layers.iter().enumerate() {
            let answers = hidden.forward(read);
            own.push(answers.clone());
            read = match given.reused(layer) {
                Some(reused) => Tensor::cat(vec![answers, reused.clone()], 1),
                None => answers,
            };
        }
        (own, self.head.forward(read.flatten::<2>(1, 3)))
    }

    /// The column that reads only the reused neurons at `kept` of each hidden layer, of those it
    /// reads now.
    pub(crate) fn keeping(self, architecture: &Architecture, kept: &[Vec<usize>]) -> Self {
        let widths = self.widths();
        // Own neurons come first, then the reused ones.
        let read = |layer: usize| -> Vec<usize> {
            let own = widths[layer];
            (0..own)
                .chain(kept[layer].iter().map(|index| own + index))
                .collect()
        };
        let Self { layers, head } = self;
        let depth = layers.len();
        let layers = layers
            .into_iter()
            .enumerate()
            .map(|(layer, hidden)| match layer {
                0 => hidden,
                layer => hidden.reading(&read(layer - 1), architecture.taps(layer)),
            });
        let positions = architecture.positions().last().copied().unwrap_or(1);
        Self {
            layers: layers.collect(),
            head: reading(head, &read(depth - 1), positions),
        }
    }

    /// Off the tape: as it is kept once its task is learned.
    pub(crate) fn frozen(&self) -> Self {
        burgeon_nn::growable::copy(self).valid()
    }
}

impl Growable for Column {
    type Input = Given;
    type Output = Tensor<2>;

    fn predict(&self, given: Given) -> Tensor<2> {
        self.answers(&given).1
    }
}
